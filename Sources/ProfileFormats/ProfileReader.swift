import Files
import Glibc

/// Reads files with profiles: ``CFICFormat``, pprof's and folded stacks, by what is in them. They may be hostile, and of any
/// origin.
public enum ProfileReader {
    /// Reads a file.
    ///
    /// - Throws: ``ProfileFileError``
    public static func read(_ path: String) throws(ProfileFileError) -> NamedProfile {
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        guard descriptor >= 0 else { throw ProfileFileError(path: path, problem: systemMessage(errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { piece.deallocate() }
        while true {
            let count = Glibc.read(descriptor, piece.baseAddress, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ProfileFileError(path: path, problem: systemMessage(errno)) }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return try read(bytes, path: path)
    }

    /// Reads what is in a file.
    ///
    /// - Parameters:
    ///   - bytes: all of the file.
    ///   - path: the file's, for errors.
    /// - Throws: ``ProfileFileError``
    public static func read(_ bytes: [UInt8], path: String) throws(ProfileFileError) -> NamedProfile {
        do throws(ProfileProblem) {
            let isCompressed = bytes.starts(with: [0x1f, 0x8b])
            let contents = isCompressed ? try inflated(bytes) : bytes
            do throws(ProfileProblem) {
                return try read(contents, fileSize: bytes.count)
            } catch {
                // The offset is in what was compressed.
                guard isCompressed, let offset = error.offset else { throw error }
                throw ProfileProblem("byte \(offset) of the contents: \(error.text)")
            }
        } catch {
            throw ProfileFileError(path: path, offset: error.offset, problem: error.text)
        }
    }

    private static func read(_ bytes: [UInt8], fileSize: Int) throws(ProfileProblem) -> NamedProfile {
        guard let first = bytes.first(where: { ![0x20, 0x0a, 0x0d, 0x09].contains($0) }) else {
            throw ProfileProblem("the file is empty")
        }
        if bytes.starts(with: CFICFile.magic.prefix(5)) { return try CFICReader.read(bytes) }
        let start = bytes.prefix(512)
        // Tags and lengths of fields are below 0x20, and no text begins so.
        if start.contains(where: { $0 < 0x20 && ![0x0a, 0x0d, 0x09, 0x1b].contains($0) }) {
            return try PprofReader.read(bytes, fileSize: fileSize)
        }
        guard first != UInt8(ascii: "<"), first != UInt8(ascii: "{") else {
            let kind = first == UInt8(ascii: "<") ? "a page or a picture" : "JSON"
            throw ProfileProblem("this is \(kind); .cfic files, pprof's files and folded stacks can be read")
        }
        return try FoldedReader.read(bytes)
    }

    /// What gzip compressed, of any number of members.
    private static func inflated(_ bytes: [UInt8]) throws(ProfileProblem) -> [UInt8] {
        // As much as profiles that repeat themselves expand, and little enough for memory.
        let limit = 1 << 24 + 64 * bytes.count
        guard let inflater = try? Inflater() else { throw ProfileProblem("not enough memory to decompress it") }
        var contents: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 18), offset = 0
        while true {
            let (outcome, read, written) = bytes.withUnsafeBufferPointer { bytes in
                piece.withUnsafeMutableBufferPointer {
                    inflater.step(UnsafeBufferPointer(rebasing: bytes[offset...]), into: $0)
                }
            }
            contents += piece[..<written]
            offset += read
            if contents.count > limit { throw ProfileProblem("it expands to more than \(limit) bytes") }
            switch outcome {
            case .more: continue
            case .end where offset == bytes.count: return contents
            case .end: inflater.reset()
            case .broken where offset == bytes.count: throw ProfileProblem("the file is cut off", at: offset)
            case .broken: throw ProfileProblem("it can't be decompressed", at: offset)
            }
        }
    }
}
