import CDebugInfo
import ELF
import Files
import Glibc
import TableCompiler

/// The functions and source lines at addresses of an image, from its own DWARF or that of its debug file. A child process
/// reads it: docs/names.md, "Inlined functions".
package struct SourceFrames {
    /// A function at an address: inlined there, or the one that all others are inlined into.
    package struct Frame: Hashable, Sendable {
        /// May be mangled. Nil if it isn't known.
        package var symbol: String?
        /// The path of the source file of `line`, as the compiler wrote it.
        package var file: String?
        /// The line of the address or, of a function that others are inlined into, of the call.
        package var line: UInt32?
        package var isInlined: Bool
    }

    /// By address; the innermost function first. Addresses that DWARF doesn't know are missing.
    package private(set) var frames: [UInt64: [Frame]] = [:]
    /// Why some are missing.
    package private(set) var problem: String?

    /// - Parameters:
    ///   - addresses: SVMAs.
    ///   - debugFiles: finds the separate debug file; nil for nowhere.
    package init(of image: ELFImage, at addresses: Set<UInt64>, debugFiles: DebugFileSearch?) {
        guard !addresses.isEmpty, let (source, directory) = Self.source(for: image, debugFiles),
            let path = source.descriptorPath
        else { return }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            problem = "\(source.name): \(systemMessage(errno))"
            return
        }
        defer { close(file) }
        let sorted = addresses.sorted()
        var found = source_frames()
        func read(_ directory: UnsafePointer<CChar>?) -> Int32 {
            var described = source_file(
                descriptor: file, directory: directory, size: source.sizeWithoutHoles,
                others_may_write: source.othersMayWrite ? 1 : 0)
            return source_frames_read(&described, sorted, sorted.count, &found)
        }
        let code = if let directory { directory.withPath { read($0) } } else { read(nil) }
        defer { source_frames_free(&found) }
        if code != 0 {
            problem = "\(source.name): inlined functions can't be read: \(systemMessage(code))"
            return
        }
        take(found, sorted)
        noteSplit(found, source)
        if found.missing > 0 {
            problem =
                "\(source.name): its DWARF is broken, or takes too much time or memory; inlined functions and lines are "
                + "missing at \(found.missing) of \(sorted.count) addresses"
        }
    }

    /// Notes that DWARF in other files (`.dwo`, `.dwp`) was not read.
    private mutating func noteSplit(_ found: source_frames, _ source: ELFImage) {
        guard found.split_units > 0 else { return }
        let path = String(path: found.text + Int(found.split_path))
        let reason =
            switch Int(found.split_problem) {
            case Int(SPLIT_IS_SPECIAL.rawValue): "is no regular file"
            case Int(SPLIT_IS_WRITABLE.rawValue): "can be changed by users who can't change the file"
            case Int(SPLIT_IS_OTHER.rawValue): "is broken or of another build"
            case Int(SPLIT_IS_PACKAGE.rawValue): "is a package, which libdw reads from version 0.191 on"
            case let code: "can't be read: \(systemMessage(Int32(clamping: code)))"
            }
        let units = found.split_units == 1 ? "one compilation unit" : "\(found.split_units) compilation units"
        problem =
            "\(source.name): functions inlined in \(units) are missing, because "
            + "\(path.isEmpty ? "its .dwo file" : path) \(reason)"
    }

    private mutating func take(_ found: source_frames, _ addresses: [UInt64]) {
        var strings: [UInt32: String] = [:]
        func string(_ offset: UInt32) -> String? {
            if offset == 0 { return nil }
            if let known = strings[offset] { return known }
            // The child checked nothing, but all offsets are within the text, which is terminated.
            let text = FunctionSymbols.mangledName(found.text + Int(offset))
            strings[offset] = text
            return text
        }
        for frame in UnsafeBufferPointer(start: found.frames, count: found.count) {
            frames[addresses[Int(frame.address)], default: []].append(
                Frame(
                    symbol: string(frame.function), file: string(frame.file), line: frame.line == 0 ? nil : frame.line,
                    isInlined: frame.is_inlined != 0))
        }
        // The child may have died in between, so that the last function is missing.
        frames = frames.filter { $0.value.last.map { !$0.isInlined } ?? false }
    }

    /// The file with the DWARF, and the directory that it is in, if it is a debug file.
    private static func source(for image: ELFImage, _ search: DebugFileSearch?) -> (ELFImage, String?)? {
        if image.hasDebugInfo { return (image, nil) }
        guard let search, let found = DebugFile(of: image, search: search).searched().image, found.hasDebugInfo else {
            return nil
        }
        return (found, found.name.lastIndex(of: "/").map { String(found.name[..<$0]) })
    }
}
