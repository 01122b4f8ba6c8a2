import Foundation

/// A program that runs beside the tests, and is ended with the last reference.
public final class RunningProgram {
    public let id: Int32
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var read: [UInt8] = []

    public init(_ words: [String], in directory: String? = nil, environment: [String: String] = [:]) throws {
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = output
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        try process.run()
        id = process.processIdentifier
    }

    deinit { end() }

    public func end() {
        guard process.isRunning else { return }
        kill(id, SIGKILL)
        process.waitUntilExit()
    }

    public func waitUntilExit() { process.waitUntilExit() }

    public func write(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

    /// Waits for a line of what it prints.
    public func line() throws -> String {
        while true {
            if let end = read.firstIndex(of: UInt8(ascii: "\n")) {
                defer { read.removeSubrange(...end) }
                return String(decoding: read[..<end], as: UTF8.self)
            }
            guard let more = try output.fileHandleForReading.read(upToCount: 1), !more.isEmpty else {
                throw TestFailure("the program ended before it said anything")
            }
            read += more
        }
    }
}
