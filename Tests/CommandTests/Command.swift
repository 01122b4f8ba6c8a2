import Foundation
import class TestFixtures.ProcessGroupKeeper
import enum TestFixtures.Toolchain
import Testing

struct TestFailure: Error {
    var message: String
    init(_ message: String) { self.message = message }
}

/// The outcome of a process.
struct Outcome {
    /// The exit code, or the negated number of the signal that killed it.
    var code: Int32
    var output: String
    var diagnostics: String

    /// Standard output as JSON.
    func json() throws -> Any { try JSONSerialization.jsonObject(with: Data(output.utf8), options: .fragmentsAllowed) }

    /// An array of the JSON document, by its key.
    func list(_ key: String) throws -> [[String: Any]]? { (try json() as? [String: Any])?[key] as? [[String: Any]] }

    /// Whether it exited normally, with a diagnostic instead of a crash.
    var isOrderly: Bool { (code == 0 || code == 1 || code == 64) && !diagnostics.contains("Fatal error") }
}

/// A directory for input files of `cfic`, with its own cache. Removed with the last reference.
final class Workplace {
    /// The working directory of commands.
    let directory: String
    /// Contains `directory` and the commands' output.
    private let parent: String
    var cache: String { directory + "/cache" }

    init() throws {
        var template = Array("/tmp/cfic-command-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        parent = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        directory = parent + "/work"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: parent) }

    /// Runs the `cfic` that was built with the tests, in `directory`.
    func cfic(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        try cfic(words: arguments, environment: environment)
    }

    func cfic(words: [String], environment: [String: String] = [:]) throws -> Outcome {
        try run([Self.program()] + words, environment)
    }

    func cfic(_ arguments: [String]) throws -> Outcome { try run([Self.program()] + arguments, [:]) }

    /// Runs a bash command line, in which `cfic` is the tested executable.
    func shell(_ command: String, environment: [String: String] = [:]) throws -> Outcome {
        try run(["/bin/bash", "-c", "cfic() { \(try Self.program()) \"$@\"; }\n\(command)"], environment)
    }

    private func run(_ words: [String], _ environment: [String: String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["900"] + words
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ProcessInfo.processInfo.environment
            .merging(Toolchain.environment) { $1 }.merging(["CFIC_CACHE": cache]) { $1 }.merging(environment) { $1 }
        let number = UInt32.random(in: 0 ... .max)
        let paths = ["\(parent)/output-\(number)", "\(parent)/diagnostics-\(number)"]
        for path in paths { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: paths[0])
        process.standardError = FileHandle(forWritingAtPath: paths[1])
        try process.run()
        // `timeout` is the group's leader.
        ProcessGroupKeeper.shared.keep(process.processIdentifier)
        defer { ProcessGroupKeeper.shared.release(process.processIdentifier) }
        process.waitUntilExit()
        let texts = try paths.map { String(decoding: try Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self) }
        for path in paths { unlink(path) }
        let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Outcome(code: code, output: texts[0], diagnostics: texts[1])
    }

    /// The executable beside the test bundle, which is the running executable.
    static func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        let path = own.deletingLastPathComponent + "/cfic"
        guard access(path, X_OK) == 0 else { throw TestFailure("\(path) is missing: swift build builds it") }
        return path
    }

    // MARK: Files

    /// Makes a library with one function, f, at 0x1000 with `cfi`, and returns its path.
    @discardableResult
    func library(_ name: String = "lib.so", buildID: String = "0xabcdef0123456789", cfi: String = "") throws -> String {
        let path = "\(directory)/\(name)"
        let source = """
            .text
            .p2align 4
            .globl f
            .type f, @function
            f:
            .cfi_startproc
            .fill 1, 1, 0x90
            \(cfi)
            .fill 15, 1, 0x90
            .cfi_endproc
            .size f, .-f

            """
        try write(Array(source.utf8), to: name + ".s")
        defer { unlink(path + ".s") }
        let outcome = try run(
            [
                "/usr/bin/env", "clang", "--target=x86_64-linux-gnu", "-shared", "-nostdlib", "-fuse-ld=lld",
                "-Wl,--build-id=\(buildID)", "-o", path, path + ".s",
            ], [:])
        guard outcome.code == 0 else { throw TestFailure("clang: \(outcome.diagnostics)") }
        return path
    }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = "\(directory)/\(name)"
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
            throw TestFailure("cannot write \(path)")
        }
        return path
    }

    func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// The path of the only table in the cache with this build id.
    func table(_ buildID: String) throws -> String {
        let prefix = ".build-id/\(buildID.prefix(2))/\(buildID.dropFirst(2))-"
        let names = FileManager.default.enumerator(atPath: cache)?.compactMap { $0 as? String } ?? []
        let found = names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".unwind") }
        guard found.count == 1 else { throw TestFailure("tables of \(buildID): \(found)") }
        return cache + "/" + found[0]
    }

    /// The names of all tables in the cache, without directories and digests.
    func cached() -> [String] {
        let names = FileManager.default.enumerator(atPath: cache)?.compactMap { $0 as? String } ?? []
        return names.filter { name in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: cache + "/" + name, isDirectory: &isDirectory)
                && !isDirectory.boolValue && !name.hasPrefix(".content-index/")
        }.map { $0.replacing(/-[0-9a-f]{32}\.unwind$/, with: ".unwind") }.sorted()
    }
}

extension [UInt8] {
    mutating func patch<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    func word(_ offset: Int) -> Int { withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int.self) } }

    /// Offset of the header of the section whose contents start with `start`.
    func sectionHeader(contentsStart start: [UInt8]) -> Int? {
        let count = Int(self[0x3c]) | Int(self[0x3d]) << 8
        return (0..<count).map { word(0x28) + 64 * $0 }.first { header in
            let offset = word(header + 0x18)
            return offset > 0 && offset + start.count <= self.count
                && self[offset..<offset + start.count].elementsEqual(start)
        }
    }

    /// Offset of .eh_frame's header, found by its first CIE, which has the augmentation "zR".
    var ehFrameHeader: Int? { sectionHeader(contentsStart: [0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0]) }
}
