import CallFrameInfo
import Testing
import TestFixtures
import UnwindTable

@testable import TableBuilder

/// What SFrame takes for rows, counted by hand from its specification: a header of 28 bytes, 20 (version 2) or 21
/// (version 3) for a function, and for a row its start, an info byte and its words.
@Suite struct SFrameSizeTests {
    private static let header: UInt64 = 28
    private static let code: Range<UInt64> = 0x1000..<0x10_0000

    /// The sizes for a section's functions, in both versions.
    private func sizes(_ writer: CFIWriter) -> (two: SFrameSize, three: SFrameSize) {
        writer.bytes.withUnsafeBytes { bytes in
            let section = FrameSection(kind: .ehFrame, bytes: bytes, address: 0, machine: writer.machine.rawValue)
            let lowered = LoweredFrames([section], machine: writer.machine)
            return SFrameSize.sizes(of: lowered, lowered.pieces(within: [Self.code]), machine: writer.machine)
        }
    }

    /// The sizes for one function with these instructions.
    private func sizes(
        _ instructions: [UInt8], length: UInt64 = 32, _ machine: TableMachine = .x86_64, augmentation: String = ""
    ) -> (two: SFrameSize, three: SFrameSize) {
        var writer = CFIWriter(machine)
        if !augmentation.isEmpty { writer.addCIE(augmentation: augmentation) }
        writer.addFDE(0x1000, length: length, instructions)
        return sizes(writer)
    }

    /// Requires the number of rows and the bytes of all rows together; nil if there must be none.
    private func expect(
        _ sizes: (two: SFrameSize, three: SFrameSize), two: (fres: UInt64, bytes: UInt64)?,
        three: (fres: UInt64, bytes: UInt64)?, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (size, expected, fde) in [(sizes.two, two, UInt64(20)), (sizes.three, three, 21)] {
            #expect(size.unsupportedFunctions == (expected == nil ? 1 : 0), sourceLocation: sourceLocation)
            #expect(size.fdes == (expected == nil ? 0 : 1), sourceLocation: sourceLocation)
            #expect(size.fres == expected?.fres ?? 0, sourceLocation: sourceLocation)
            #expect(size.bytes == expected.map { Self.header + fde + $0.bytes } ?? 0, sourceLocation: sourceLocation)
        }
    }

    // MARK: Widths

    @Test func aFunctionOfOneRow() {
        expect(sizes([]), two: (1, 3), three: (1, 3))
    }

    @Test(arguments: [(255, 1), (256, 2), (65_535, 2), (65_536, 4)])
    func startsAreAsWideAsTheFunctionIsLong(length: UInt64, width: UInt64) {
        let bytes = 2 * (width + 1 + 1)
        expect(
            sizes(CFI.advance(1) + CFI.defineCFAOffset(16), length: length), two: (2, bytes), three: (2, bytes))
    }

    @Test(arguments: [(127, 1), (128, 2), (32_767, 2), (32_768, 4)])
    func wordsAreAsWideAsTheWidest(offset: Int32, width: UInt64) {
        // Two words: the CFA, and the frame pointer at CFA - 16.
        let bytes = 1 + 1 + 2 * width
        expect(
            sizes(CFI.defineCFAOffset(offset) + CFI.offset(register: 6, factored: 2)), two: (1, bytes),
            three: (1, bytes))
    }

    @Test func frameInALargeFunctionsStackIsWide() {
        // At CFA - 40000, for which a rule needs a program.
        expect(sizes(CFI.offset(register: 6, factored: 5000)), two: (1, 1 + 1 + 8), three: (1, 1 + 1 + 8))
    }

    @Test func rowsThatDifferInOtherRegistersAreOne() {
        expect(sizes(CFI.advance(1) + CFI.offset(register: 3, factored: 2)), two: (1, 3), three: (1, 3))
    }

    @Test func functionsAddUpAndShareAHeader() {
        var writer = CFIWriter()
        writer.addFunction(0x1000, length: 16)
        writer.addFunction(0x1010, length: 16, [.init(4, 16)])
        let (two, three) = sizes(writer)
        #expect(two.fdes == 2 && two.fres == 3 && two.bytes == 28 + 2 * 20 + 3 * 3)
        #expect(three.fdes == 2 && three.fres == 3 && three.bytes == 28 + 2 * 21 + 3 * 3)
    }

    // MARK: Flexible functions of version 3

    @Test func otherRegistersNeedTwoWordsEach() {
        // CFA = rsp+8, then CFA = r10+0: both rows are flexible.
        expect(
            sizes(CFI.advance(1) + CFI.defineCFA(register: 10, offset: 0)), two: nil, three: (2, 2 * (1 + 1 + 2)))
    }

    @Test func framePointerBehindAPaddingWord() {
        // CFA = *(rbp-8), rbp = *(rbp+0): two words, padding in place of the return address, two words.
        expect(
            sizes(CFI.defineCFA(expression: [0x76, 0x78, 0x06]) + CFI.saved(6, at: [0x76, 0x00])), two: nil,
            three: (1, 1 + 1 + 5))
    }

    @Test func signalFrameHasABitInVersion3Only() {
        expect(sizes([], augmentation: "S"), two: nil, three: (1, 3))
    }

    @Test func expressionsAreUnsupported() {
        // CFA = *(rsp+8) + 8.
        expect(sizes(CFI.defineCFA(expression: [0x77, 8, 0x06, 0x23, 8])), two: nil, three: nil)
        // CFA = rsp & rbp.
        expect(sizes(CFI.defineCFA(expression: [0x77, 0, 0x76, 0, 0x1a])), two: nil, three: nil)
        // rbp = CFA - 16, whose control word would be padding.
        expect(sizes([0x14, 6, 2]), two: nil, three: nil)
        // The rest of the function can't be known.
        expect(sizes(CFI.advance(4) + [0x3f]), two: nil, three: nil)
        // The caller's stack pointer is not the CFA.
        expect(sizes(CFI.saved(7, at: [0x77, 0])), two: nil, three: nil)
        expect(sizes(CFI.undefined(register: 6)), two: nil, three: nil)
    }

    // MARK: Outermost frames

    @Test func outermostFunctionHasNoRowInVersion3() {
        expect(sizes(CFI.undefined(register: 16)), two: (1, 2), three: (0, 0))
    }

    @Test func outermostRowHasNoWords() {
        expect(sizes(CFI.advance(4) + CFI.undefined(register: 16)), two: (2, 3 + 2), three: (2, 3 + 2))
    }

    // MARK: aarch64

    @Test func returnAddressIsAWordOnAArch64() {
        let saved =
            CFI.defineCFAOffset(16) + CFI.offset(register: 29, factored: 2) + CFI.offset(register: 30, factored: 1)
        expect(sizes(saved, .aarch64), two: (1, 1 + 1 + 3), three: (1, 1 + 1 + 3))
        expect(sizes(CFI.offset(register: 30, factored: 1), .aarch64), two: (1, 4), three: (1, 4))
        expect(sizes([], .aarch64), two: (1, 3), three: (1, 3))
    }

    @Test func framePointerAloneNeedsAFlexibleFunctionOnAArch64() {
        expect(sizes(CFI.offset(register: 29, factored: 2), .aarch64), two: nil, three: (1, 1 + 1 + 5))
    }

    @Test func signedReturnAddressesAreRowsOfTheirOwn() {
        expect(sizes(CFI.advance(4) + CFI.negateReturnAddressState, length: 32, .aarch64), two: (2, 6), three: (2, 6))
    }

    // MARK: Linkage tables

    /// rsp + 8 + (((rip & 15) >= 11) << 3)
    private static let stubs: [UInt8] = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22]

    @Test func stubsAreAFunctionThatRepeats() {
        // The first stub has two rows; then each has the same two, in a function of its own.
        let instructions =
            CFI.defineCFAOffset(16) + CFI.advance(6) + CFI.defineCFAOffset(24) + CFI.advance(10)
            + CFI.defineCFA(expression: Self.stubs)
        let (two, three) = sizes(instructions, length: 64)
        #expect(two.fdes == 2 && two.fres == 4 && two.unsupportedFunctions == 0 && two.bytes == 28 + 2 * 20 + 4 * 3)
        #expect(three.fdes == 2 && three.fres == 4 && three.bytes == 28 + 2 * 21 + 4 * 3)
    }

    @Test func otherExpressionsWithThePCAreUnsupported() {
        // lit14 is no mask of a block; lt in place of ge; another register.
        for change in [(4, UInt8(0x3e)), (7, 0x2d), (0, 0x76)] {
            var stubs = Self.stubs
            stubs[change.0] = change.1
            expect(sizes(CFI.defineCFA(expression: stubs)), two: nil, three: nil)
        }
    }
}
