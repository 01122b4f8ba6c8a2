import CallFrameInfo
import ELF
import UnwindTable

/// The code that signal handlers return through in aarch64 vDSOs, for which Linux since 5.8 states no call frame
/// information: without a rule for it, no stack would go beyond a handler. What it must be is known from its code
/// alone, a call of rt_sigreturn(2): the kernel's frame stands at the stack pointer.
///
/// The rule is made of call frame information of our own, which is used where the image has none.
struct SignalTrampoline {
    /// SVMAs.
    let addresses: Range<UInt64>
    var section: FrameSection { frame.section }
    private let frame: StatedFrame

    /// `mov x8, #139` (rt_sigreturn), `svc #0`
    private static let code: [UInt8] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]
    /// A vDSO has one to four pages, of 64 KiB at most.
    private static let imageLimit: UInt64 = 4 << 16

    /// The trampoline of an image; nil if it has none, or is no aarch64 image of a vDSO's size.
    init?(of image: ELFImage) throws(ELFError) {
        guard image.machine.rawValue == TableMachine.aarch64.rawValue, image.is64Bit, image.size <= Self.imageLimit,
            let start = try Self.find(in: image)
        else { return nil }
        // Handlers return to its first byte, and return addresses are looked up at the byte before: the kernel keeps a
        // nop there for that.
        addresses = start &- 4..<start &+ UInt64(Self.code.count)
        frame = StatedFrame(
            addresses, machine: image.machine.rawValue, isSignalFrame: true, instructions: Self.instructions)
    }

    private static func find(in image: ELFImage) throws(ELFError) -> UInt64? {
        for range in image.executableSegments {
            let bytes = try image.bytes(at: range)
            for offset in stride(from: 4, through: bytes.count - code.count, by: 4)
            where bytes[offset..<offset + code.count].elementsEqual(code) {
                return range.lowerBound + UInt64(offset)
            }
        }
        return nil
    }

    /// The kernel's struct sigcontext holds x29 at 544, sp at 560 and pc at 568 bytes from the stack pointer
    /// (cfic/aarch64/sigframe.h).
    private static var instructions: [UInt8] {
        let stackPointer: [UInt8] = [0x8f]  // DW_OP_breg31
        func slot(_ offset: UInt16) -> [UInt8] {
            // Two bytes of SLEB128.
            stackPointer + [UInt8(offset & 0x7f) | 0x80, UInt8(offset >> 7)]
        }
        func expression(_ opcode: [UInt8], _ expression: [UInt8]) -> [UInt8] {
            opcode + [UInt8(expression.count)] + expression
        }
        return expression([0x0f], slot(560) + [0x06])  // DW_CFA_def_cfa_expression: deref
            + expression([0x10, 29], slot(544)) + expression([0x10, 30], slot(568))  // DW_CFA_expression
    }
}
