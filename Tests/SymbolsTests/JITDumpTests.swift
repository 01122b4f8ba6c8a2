import Files
import Glibc
import Symbols
import TestFixtures
import Testing

/// Names of generated code, from records that anybody may have written.
@Suite struct JITDumpTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private static func bytes<Number: FixedWidthInteger>(_ numbers: [Number]) -> [UInt8] {
        numbers.flatMap { number in withUnsafeBytes(of: number) { Array($0) } }
    }

    private static let header = bytes([0x4a69_5444, 1, 40, 62, 0, 1] as [UInt32]) + bytes([0, 0] as [UInt64])

    private static func load(_ start: UInt64, _ size: UInt64, _ index: UInt64, _ name: String) -> [UInt8] {
        let rest = Array(name.utf8) + [0, 0x90]
        return bytes([0, UInt32(56 + rest.count)]) + bytes([0] as [UInt64]) + bytes([1, 1] as [UInt32])
            + bytes([start, start, size, index]) + rest
    }

    private static func move(_ start: UInt64, _ size: UInt64, _ index: UInt64) -> [UInt8] {
        bytes([1, 64] as [UInt32]) + bytes([0] as [UInt64]) + bytes([1, 1] as [UInt32])
            + bytes([0, 0, start, size, index])
    }

    private func dump(_ bytes: [UInt8], _ addresses: [UInt64]) throws -> JITDump {
        guard let file = Descriptor(opening: try fixture.write(bytes, to: "dump"), O_RDONLY) else {
            throw TestFailure("it can't be opened")
        }
        return JITDump(file, name: "dump", addresses: addresses)
    }

    @Test func recordsNameTheirCode() throws {
        let other = Self.bytes([2, 24] as [UInt32]) + Self.bytes([0, 0] as [UInt64])
        let found = try dump(
            Self.header + Self.load(0x1000, 16, 1, "first") + other + Self.load(0x2000, 16, 2, "second")
                + Self.load(0x1008, 4, 3, "later"),
            [0xfff, 0x1000, 0x1008, 0x100c, 0x1010, 0x200f])
        #expect(found.names == [nil, "first", "later", "first", nil, "second"] && found.problem == nil)
    }

    @Test func movedCodeKeepsItsName() throws {
        let found = try dump(
            Self.header + Self.load(0x1000, 16, 1, "first") + Self.load(0x2000, 16, 2, "second")
                + Self.move(0x1000, 16, 2) + Self.move(0x3000, 16, 9),
            [0x1000, 0x2000, 0x3000])
        #expect(found.names == ["second", "second", nil] && found.problem == nil)
    }

    @Test func recordThatIsCutOffIsIgnored() throws {
        let whole = Self.header + Self.load(0x1000, 16, 1, "first") + Self.load(0x2000, 16, 2, "second")
        for count in 0..<whole.count {
            let names = try dump(Array(whole[..<count]), [0x1000, 0x2000]).names
            #expect(names.count == 2 && names[0].map { "first".hasPrefix($0) } ?? true)
            #expect(names[1].map { "second".hasPrefix($0) } ?? true)
        }
    }

    @Test func malformedFilesAreProblems() throws {
        for bytes in [[], Array("JiTD".utf8), Self.bytes([0x4a69_5444, 1, 8, 0, 0, 0] as [UInt32])] {
            #expect(try dump(bytes, [0x1000]).problem != nil)
        }
        // A record of no size would be read forever.
        let found = try dump(
            Self.header + Self.load(0x1000, 16, 1, "first") + Self.bytes([0, 0, 0, 0] as [UInt32]), [0x1000])
        #expect(found.names == ["first"] && found.problem != nil)
    }

    @Test func recordsMayBeAtTheEndOfTheAddressSpace() throws {
        let found = try dump(
            Self.header + Self.load(.max - 1, 100, 1, "end") + Self.load(0x1000, .max, 2, "all"), [0, 0x1000, .max])
        #expect(found.names == [nil, "all", "all"])
    }
}
