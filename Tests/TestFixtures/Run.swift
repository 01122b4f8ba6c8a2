import Foundation

/// Runs a program and waits for it, a minute at most; what it printed on both streams. `clang` is the toolchain's.
@discardableResult
public func run(_ words: String..., in directory: String? = nil) throws -> String {
    try run(words: words, in: directory)
}

/// - Parameters:
///   - environment: variables besides this process's.
///   - seconds: how long it may take.
/// - Throws: ``TestFailure`` with what it printed, unless its exit code is 0.
@discardableResult
public func run(
    words: [String], in directory: String? = nil, environment: [String: String] = [:], seconds: Int = 60
) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["--kill-after=5", "\(seconds)"] + words
    process.environment = ProcessInfo.processInfo.environment
        .merging(Toolchain.environment) { $1 }.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    try process.run()
    // `timeout` leads the group.
    ProcessGroupKeeper.shared.keep(process.processIdentifier)
    let output = String(decoding: readToEnd(pipe.fileHandleForReading.fileDescriptor), as: UTF8.self)
    ProcessGroupKeeper.shared.release(process.processIdentifier)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw TestFailure("\(words.joined(separator: " ")): \(output)") }
    return output
}

/// `FileHandle` takes an interrupted system call for a failure that ends the program.
private func readToEnd(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
    }
}
