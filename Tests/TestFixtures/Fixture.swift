import ELF
import Foundation
import TableCompiler
import UnwindTable

public struct TestFailure: Error {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// A directory with ELF files made from assembly. Removed with the last reference.
public final class Fixture {
    public enum Target: String, Sendable {
        case x86_64 = "x86_64-linux-gnu"
        case aarch64 = "aarch64-linux-gnu"
    }

    public let directory: String

    public init() throws {
        var template = Array("/tmp/cfic-compiler-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Assembles and links a shared library, and returns its path.
    @discardableResult
    public func library(
        _ source: String, _ target: Target = .x86_64, named name: String = "lib.so", flags: [String] = []
    ) throws -> String {
        try link(source, target, name, ["-shared", "-fuse-ld=lld", "-nostdlib"] + flags)
    }

    /// Assembles and links an executable without an entry point, whose code starts at 0x401000, and returns its path.
    /// Its section .cfi becomes .eh_frame after linking, so that the linker treats it as data and doesn't change it.
    public func program(_ source: String, _ target: Target = .x86_64, section: String = ".eh_frame") throws -> String {
        let path = try link(
            source, target, "program", ["-fuse-ld=lld", "-nostdlib", "-static", "-Wl,-Ttext=0x401000,-e,0"])
        try run("objcopy", "--rename-section", ".cfi=\(section)", path)
        return path
    }

    /// Assembles a relocatable file, and returns its path.
    @discardableResult
    public func object(_ source: String, named name: String = "object.o") throws -> String {
        try link(source, .x86_64, name, ["-c"])
    }

    private func link(_ source: String, _ target: Target, _ name: String, _ flags: [String]) throws -> String {
        let path = "\(directory)/\(name)"
        try write(Array((source + "\n").utf8), to: name + ".s")
        try run(words: ["clang", "--target=\(target.rawValue)"] + flags + ["-o", path, path + ".s"])
        unlink(path + ".s")
        return path
    }

    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
            throw TestFailure("cannot write \(path)")
        }
        return path
    }
}

public func contents(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// A table and the other results of compiling it. The bytes exist as long as this object.
public final class CompiledImage {
    public let compiler: ImageCompiler
    public let result: ImageCompiler.Result
    public let view: TableView

    public init(_ image: ELFImage, search: DebugFileSearch? = nil, options: TableOptions = TableOptions()) throws {
        compiler = ImageCompiler(options: options, debugFiles: search)
        result = try compiler.compile(image)
        view = try TableVerifier.verify(result.built.table)
    }

    public convenience init(
        _ path: String, search: DebugFileSearch? = nil, options: TableOptions = TableOptions()
    ) throws {
        try self.init(ELFImage(path: path), search: search, options: options)
    }

    /// The rows as `+OFFSET RULE`, with hexadecimal offsets from the first row. Rows without information are omitted;
    /// rows with another reason are not.
    public var rows: [String] {
        var first: UInt64?
        var rows: [String] = []
        view.forEachRow { range, number in
            if number == 0 { return }
            first = first ?? range.lowerBound
            rows.append("+\(String(range.lowerBound - (first ?? 0), radix: 16)) \(view.describe(number))")
        }
        return rows
    }

    /// The rows' rules in ascending address order, without "no information".
    public var rules: [String] { rows.map { String($0[$0.index(after: $0.firstIndex(of: " ")!)...]) } }
}

/// Why an image gets no table; nil if it gets one.
public func skipReason(_ path: String) throws -> SkipReason? {
    do {
        _ = try ImageCompiler(debugFiles: nil).compile(ELFImage(path: path))
        return nil
    } catch CompileError.skipped(let reason) {
        return reason
    }
}
