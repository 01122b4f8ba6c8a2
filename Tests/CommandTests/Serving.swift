import Foundation
import class TestFixtures.RunningProgram
import class TestFixtures.TestClient

/// A cfic that serves, until it gets SIGTERM.
final class Serving {
    let program: RunningProgram
    private let process: Int32
    let address: String

    init(_ place: Workplace, _ arguments: String) throws {
        let command = """
            '\(try Workplace.program())' profile --serve 127.0.0.1:0 --cache '\(place.cache)' \(arguments) 2>&1 &
            echo $!; wait $!; echo code $?
            """
        program = try RunningProgram(["/bin/bash", "-c", command])
        guard let process = Int32(try program.line()) else { throw TestFailure("no process") }
        self.process = process
        while true {
            let line = try program.line()
            if line.hasPrefix("Serving at ") {
                address = String(line.dropFirst(11))
                return
            }
            if line.hasPrefix("code ") { throw TestFailure(line) }
        }
    }

    func get(_ path: String) throws -> TestClient.Answer { try TestClient.get(path, at: address) }

    /// The value of a counter; nil before the first ones.
    func counter(_ name: String) throws -> Int? {
        try get("/metrics").text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .flatMap { Int($0.split(separator: " ")[1]) }
    }

    /// - Returns: what it says at the end, and the exit code.
    func terminate() throws -> [String] {
        kill(process, SIGTERM)
        var lines: [String] = []
        while lines.last?.hasPrefix("code ") != true { lines.append(try program.line()) }
        return lines
    }
}
