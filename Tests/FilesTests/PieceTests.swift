import Files
import Foundation
import TestFixtures
import Testing

/// Files written piece by piece.
struct PieceTests {
    private let fixture: Fixture
    private var directory: String { fixture.directory }
    private struct Stop: Error {}
    /// More than one piece.
    private static let line = String(repeating: "x", count: 99) + "\n"
    private static let count = 2000

    init() throws { fixture = try Fixture() }

    private func write(to path: String) throws {
        try OutputFile.write(to: path) { output in for _ in 0..<Self.count { output.write(Self.line) } }
    }

    private func expectWhole(_ path: String) throws {
        #expect(try String(contentsOfFile: path, encoding: .utf8) == String(repeating: Self.line, count: Self.count))
    }

    @Test func newFileAndReplacedOne() throws {
        let path = directory + "/out"
        for _ in 0..<2 {
            try write(to: path)
            try expectWhole(path)
        }
        #expect(try Directory.names(in: directory) == ["out"])
    }

    @Test func nothingIsNoByte() throws {
        let path = directory + "/out"
        try OutputFile.write(to: path) { _ in }
        #expect(try contents(path) == [])
    }

    @Test func whatFailsLeavesWhatWasThere() throws {
        let path = try fixture.write([1, 2, 3], to: "out")
        #expect(throws: Stop.self) {
            try OutputFile.write(to: path) { output in
                for _ in 0..<Self.count { output.write(Self.line) }
                throw Stop()
            }
        }
        #expect(try contents(path) == [1, 2, 3])
        #expect(try Directory.names(in: directory) == ["out"])
    }

    /// Large pieces are not collected with what is small.
    @Test func piecesOfAllSizesKeepTheirOrder() throws {
        let path = directory + "/out"
        var expected: [UInt8] = []
        try OutputFile.write(to: path) { output in
            for (number, size) in [3, 70_000, 1 << 16, 1, 1, 200_000, 65_535, 2, 0, 1 << 16].enumerated() {
                let piece = [UInt8](repeating: UInt8(number), count: size)
                piece.withUnsafeBytes { output.write($0) }
                expected += piece
            }
        }
        #expect(try contents(path) == expected)
        #expect(throws: FileError.self) {
            try OutputFile.write(to: "/dev/full") { output in
                output.write("x")
                output.write(String(repeating: "y", count: 70_000))
            }
        }
    }

    @Test func symbolicLinkStays() throws {
        try fixture.write([1], to: "sub/target")
        symlink("sub/target", directory + "/link")
        try write(to: directory + "/link")
        try expectWhole(directory + "/sub/target")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory + "/link") == "sub/target")
    }

    @Test(arguments: ["/dev/full", "/proc/nothing/out", "/", ""])
    func failuresAreTold(path: String) throws {
        #expect(throws: FileError.self) { try write(to: path) }
    }

    @Test func deviceIsWrittenInto() throws {
        try write(to: "/dev/null")
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }
}
