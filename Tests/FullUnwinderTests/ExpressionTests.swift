import CallFrameInfo
@testable import FullUnwinder
import Testing
import UnwindTable

/// Expressions of call frame information, on a frame whose register N has the value 1000 + N.
struct ExpressionTests {
    private let frame = RegisterFrame(.x86_64, pc: 77, registers: (0..<16).map { 1000 + $0 })

    private func result(_ bytes: [UInt8], start: [UInt64] = []) -> UInt64? {
        bytes.withUnsafeBytes { bytes in
            let section = FrameSection(kind: .ehFrame, bytes: bytes, address: 0, machine: 62)
            var expression = Expression(0..<bytes.count, of: section, frame, StackMemory(snapshot: nil), start: start)
            return expression.result()
        }
    }

    @Test(
        arguments: [
            ([0x73, 0x08], 1011),  // breg3 8
            ([0x92, 6, 0x78], 998),  // bregx rbp -8
            ([0x80, 0], 77),  // breg16: the pc
            ([0x09, 0xff], .max), ([0x08, 0xff], 255), ([0x0b, 0xfe, 0xff], .max - 1),
            ([0x30, 0x4f, 0x1c], .max - 30),  // lit0 lit31 minus
            ([0x35, 0x33, 0x24], 40), ([0x3a, 0x33, 0x1b], 3), ([0x3a, 0x33, 0x1d], 1),
            ([0x31, 0x32, 0x33, 0x17, 0x22, 0x22], 6),  // rot plus plus
            ([0x31, 0x32, 0x15, 1], 1), ([0x31, 0x32, 0x14], 1), ([0x31, 0x32, 0x16], 1),
            ([0x31, 0x32, 0x12, 0x1e], 4),
            ([0x35, 0x23, 0x81, 0x01], 134),  // plus_uconst 129
            ([0x31, 0x28, 1, 0, 0x33, 0x34], 4),  // lit1 bra +1, over lit3
            ([0x33, 0x2f, 1, 0, 0x34], 3),  // skip +1, over lit4
            ([0x03, 1, 2, 0, 0, 0, 0, 0, 0], 513),
            // The entry of a procedure linkage table: ((pc & 15) >= 11) << 3.
            ([0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22], 1023),
        ] as [([UInt8], UInt64)])
    func results(bytes: [UInt8], expected: UInt64) { #expect(result(bytes) == expected) }

    @Test func beginsWithTheCFA() {
        #expect(result([0x23, 8], start: [100]) == 108)
        #expect(result([], start: [100]) == 100)
    }

    @Test(
        arguments: [
            [], [0x12], [0x22], [0x31, 0x22], [0x06], [0x31, 0x06],  // nothing on the stack; memory that isn't known
            [0x31, 0x30, 0x1b], [0x31, 0x30, 0x1d],  // division by zero
            [0x08], [0x0c, 1, 2], [0x92], [0x15, 9],  // cut off
            [0x92, 40, 0], [0xf0], [0x9c], [0x50],  // no such register; unknown operations
            [0x31, 0x28, 0, 0x80], [0x2f, 9, 0],  // jumps out of the expression
            [0x2f, 0xfd, 0xff],  // a jump to itself
        ] as [[UInt8]])
    func noResult(bytes: [UInt8]) { #expect(result(bytes) == nil) }

    /// A circle that fills the stack ends, too.
    @Test func circlesEnd() { #expect(result([0x31, 0x2f, 0xfc, 0xff]) == nil) }
}
