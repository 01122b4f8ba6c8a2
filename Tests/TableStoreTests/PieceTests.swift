import Foundation
import TableStore
import Testing

/// Files written piece by piece.
struct PieceTests {
    let directory: TemporaryDirectory
    private struct Stop: Error {}
    /// More than one piece.
    private static let line = String(repeating: "x", count: 99) + "\n"
    private static let count = 2000

    init() throws { directory = try TemporaryDirectory() }

    private func write(to path: String) throws {
        try TableStore.write(to: path) { output in for _ in 0..<Self.count { output.write(Self.line) } }
    }

    private func expectWhole(_ path: String) throws {
        #expect(try String(contentsOfFile: path, encoding: .utf8) == String(repeating: Self.line, count: Self.count))
    }

    @Test func newFileAndReplacedOne() throws {
        let path = directory.path + "/out"
        for _ in 0..<2 {
            try write(to: path)
            try expectWhole(path)
        }
        #expect(directory.files() == [path])
    }

    @Test func nothingIsNoByte() throws {
        let path = directory.path + "/out"
        try TableStore.write(to: path) { _ in }
        #expect(try [UInt8](contentsOf: path) == [])
    }

    @Test func whatFailsLeavesWhatWasThere() throws {
        let path = directory.path + "/out"
        try [UInt8]([1, 2, 3]).write(to: path)
        #expect(throws: Stop.self) {
            try TableStore.write(to: path) { output in
                for _ in 0..<Self.count { output.write(Self.line) }
                throw Stop()
            }
        }
        #expect(try [UInt8](contentsOf: path) == [1, 2, 3])
        #expect(directory.files() == [path])
    }

    @Test func symbolicLinkStays() throws {
        try [UInt8]([1]).write(to: directory.path + "/sub/target")
        symlink("sub/target", directory.path + "/link")
        try write(to: directory.path + "/link")
        try expectWhole(directory.path + "/sub/target")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/link") == "sub/target")
    }

    @Test(arguments: ["/dev/full", "/proc/nothing/out", "/", ""])
    func failuresAreTold(path: String) throws {
        #expect(throws: StoreError.self) { try write(to: path) }
    }

    @Test func deviceIsWrittenInto() throws {
        try write(to: "/dev/null")
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }
}
