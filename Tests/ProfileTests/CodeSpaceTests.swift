import ELF
@testable import KernelUnwinder
@testable import Profile
import TestFixtures
import Testing

/// Addresses for the code of all processes.
@Suite struct CodeSpaceTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// The mapping of a library's code, with functions of this size.
    private func library(
        _ function: String, size: Int = 16, bias: UInt64 = 0x7f00_0000_0000
    ) throws -> ProcessImages.Mapping {
        let path = try fixture.library(
            ".text\n.p2align 12\n.globl \(function)\n.type \(function), @function\n\(function):\n"
                + ".fill \(size), 1, 0x90\n.size \(function), \(size)\n", named: "\(function).so")
        return try #require(FakeImages.image(ELFImage(path: path), bias: bias, name: "/opt/lib.so").mappings.first)
    }

    @Test func placeOfAFileIsTheSameWhereverItIsMapped() throws {
        var code = CodeSpace()
        let one = try library("f"), other = try library("f", bias: 0x5500_0000_0000)
        var same = one
        (same.start, same.end, same.bias) = (other.start, other.end, other.bias)
        #expect(code.address(of: one.start + 5, in: one) == code.address(of: same.start + 5, in: same))
        #expect(code.images.mappings.count == 1)
    }

    /// Versions of a library with the same name and size, and several pieces of one library.
    @Test func otherFilesAndOtherPiecesHaveAddressesOfTheirOwn() throws {
        var code = CodeSpace()
        let one = try library("f"), other = try library("g")
        try #require(one.end - one.start == other.end - other.start)
        var moved = one, shorter = one
        moved.bias -= 0x1000
        moved.offset += 0x1000
        shorter.end -= 0x1000
        let pieces = [one, other, moved, shorter]
        let places = pieces.map { code.address(of: $0.start, in: $0) }
        #expect(Set(places).count == 4 && code.images.mappings.count == 4)
        // Each piece has its own functions.
        for (piece, place) in zip(pieces, places) {
            let mapping = try #require(code.images.mapping(at: place))
            #expect(mapping.image === piece.image && mapping.end - mapping.start == piece.end - piece.start)
            #expect(place &- mapping.bias == piece.start &- piece.bias && mapping.offset == piece.offset)
        }
    }

    /// A call may be the last instruction of a mapping.
    @Test func addressRightBehindAPieceIsInNoOther() throws {
        var code = CodeSpace()
        let one = try library("f"), other = try library("g")
        let behind = code.address(of: one.end, in: one)
        _ = code.address(of: other.start, in: other)
        #expect(code.images.mapping(at: behind)?.image == nil)
        #expect(code.images.mapping(at: behind - 1)?.image === one.image)
    }

    @Test func whatHasNoRoomIsNowhere() throws {
        var code = CodeSpace()
        var huge = try library("f")
        huge.end = huge.start &+ Sample.Frame.addressLimit
        #expect(code.address(of: huge.start + 1, in: huge) == 1 && code.images.mapping(at: 1) == nil)
        let small = try library("g")
        #expect(code.images.mappings.isEmpty && code.address(of: small.start, in: small) > 1)
    }
}
