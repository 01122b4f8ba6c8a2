import Foundation

/// Runs an executable for at most ten minutes, and returns its output on both streams. `clang` is the toolchain's.
@discardableResult
public func run(_ words: String..., in directory: String? = nil) throws -> String {
    try run(words: words, in: directory)
}

/// Runs an executable and returns its output on both streams.
///
/// - Parameters:
///   - environment: variables in addition to this process's.
///   - seconds: the time limit.
/// - Throws: ``TestFailure`` with the output, unless the exit code is 0.
@discardableResult
public func run(
    words: [String], in directory: String? = nil, environment: [String: String] = [:], seconds: Int = 600
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
    // `timeout` is the group's leader.
    ProcessGroupKeeper.shared.keep(process.processIdentifier)
    let output = String(decoding: readToEnd(pipe.fileHandleForReading.fileDescriptor), as: UTF8.self)
    ProcessGroupKeeper.shared.release(process.processIdentifier)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw TestFailure("\(words.joined(separator: " ")): \(output)") }
    return output
}

/// Not with `FileHandle`, which traps on an interrupted system call.
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
