import Files
import Glibc
@testable import Symbols
import TestFixtures
import Testing

/// Names of generated code, from files that anybody may have written.
@Suite struct PerfMapTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func map(_ text: [UInt8], _ addresses: [UInt64], pieceSize: Int = 1 << 20) throws -> PerfMap {
        guard let file = Descriptor(opening: try fixture.write(text, to: "map"), O_RDONLY) else {
            throw TestFailure("it can't be opened")
        }
        return PerfMap(file, name: "map", addresses: addresses, pieceSize: pieceSize)
    }

    private func names(_ text: String, _ addresses: [UInt64], pieceSize: Int = 1 << 20) throws -> [String?] {
        try map(Array(text.utf8), addresses, pieceSize: pieceSize).names
    }

    @Test func linesNameTheirAddresses() throws {
        let text = "1000 10 first\n0x2000 0x10 LazyCompile:*f /a b.js:1:2\n3000 10 last"
        #expect(
            try names(text, [0xfff, 0x1000, 0x100f, 0x1010, 0x2000, 0x2010, 0x3000])
                == [nil, "first", "first", nil, "LazyCompile:*f /a b.js:1:2", nil, "last"])
    }

    @Test func ofLinesThatCoverAnAddressTheLastCounts() throws {
        let text = "1000 100 outer\n1020 10 inner\n1000 30 moved\n1010 5 last\n"
        #expect(
            try names(text, [0x1000, 0x1010, 0x1014, 0x1015, 0x1020, 0x1030])
                == ["moved", "last", "last", "moved", "moved", "outer"])
    }

    @Test func malformedLinesAreIgnored() throws {
        let text =
            "\n \n1000\n1000 10\n1000 10 \nx 10 a\n1000 -1 b\n11112222333344445 10 c\n1000 0 d\n  1000 10 e\n"
            + "1000 g f\n1000\t10\tg\n"
        #expect(try names(text, [0, 0x1000]) == [nil, nil])
        #expect(try names("", [0]) == [nil])
        #expect(try names("1000 10 a", []) == [])
    }

    @Test func codeAtTheEndOfTheAddressSpaceIsNamed() throws {
        #expect(
            try names("fffffffffffffff0 10 a\nfffffffffffff000 ffffffffffffffff b\n", [0, .max - 15, .max])
                == [nil, "b", "b"])
    }

    /// The file is read in pieces.
    @Test(arguments: [64, 65, 100, 1000]) func linesMayBeLongerThanPieces(size: Int) throws {
        let long = String(repeating: "long ", count: 100)
        var text = "", expected: [String?] = [], addresses: [UInt64] = []
        for index in 0..<200 {
            let name = index % 7 == 0 ? "\(long)\(index)" : "short\(index)"
            text += "\(String(0x1000 + index * 16, radix: 16)) 10 \(name)\n"
            addresses.append(UInt64(0x1000 + index * 16))
            expected.append(name)
        }
        #expect(try names(text, addresses, pieceSize: size) == expected)
    }

    @Test func nameOfAMegabyteIsCut() throws {
        let text = "1000 10 " + String(repeating: "x", count: 1 << 20) + "\n2000 10 y\n"
        let found = try names(text, [0x1000, 0x2000])
        #expect(found[0]?.utf8.count == 1024 && found[0]?.hasPrefix("xxxx") == true && found[1] == "y")
    }

    @Test func anyBytesAreAName() throws {
        let text = Array("1000 10 ".utf8) + [0xff, 0x1b, 0, 0xc3] + Array("\n2000 10 \u{202e}a\n".utf8)
        #expect(try map(text, [0x1000, 0x2000]).names == ["\u{fffd}\u{1b}\0\u{fffd}", "\u{202e}a"])
    }

    /// A hole of a terabyte before the last line.
    @Test func onlyTheEndOfALargeFileIsRead() throws {
        let path = try fixture.write(Array("1000 10 first\n".utf8), to: "large")
        let file = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        let text = Array("\n2000 10 last\n".utf8)
        try #require(pwrite(file, text, text.count, 1 << 40) == text.count)
        guard let large = Descriptor(opening: path, O_RDONLY) else { throw TestFailure("it can't be opened") }
        let map = PerfMap(large, name: "map", addresses: [0x1000, 0x2000])
        #expect(map.names == [nil, "last"] && map.problem == "map: only the last 256 MiB of 1048576 were read")
    }

    /// Each of a million lines covers each of ten thousand addresses: 10^10 pairs.
    @Test func manyLinesThatCoverManyAddressesTakeLittleTime() throws {
        var text: [UInt8] = []
        for _ in 0..<1_000_000 { text += Array("1000 ffffff a\n".utf8) }
        text += Array("1000 ffffff z\n".utf8)
        let addresses = (0..<10_000).map { UInt64(0x1000 + $0) }
        #expect(try map(text, addresses).names.allSatisfy { $0 == "z" })
    }

    @Test func coversAreAsIfPaintedOneByOne() {
        var random = SeededGenerator(seed: 7)
        for count in [1, 2, 3, 7, 64, 100] {
            var cover = LatestCover(count: count)
            var painted = [UInt64?](repeating: nil, count: count)
            for stamp in 1...50 as ClosedRange<UInt64> {
                let bounds = [Int.random(in: 0...count, using: &random), Int.random(in: 0...count, using: &random)]
                let range = bounds.min()!..<bounds.max()!
                cover.cover(range, stamp: stamp)
                for position in range { painted[position] = stamp }
                #expect((0..<count).map { cover.latest(at: $0) } == painted)
            }
        }
    }
}
