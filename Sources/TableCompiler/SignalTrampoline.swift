import CallFrameInfo
import ELF
import UnwindTable

/// The code in aarch64 vDSOs that signal handlers return to. Linux 5.8 and later have no call frame information for it,
/// and without a rule, stacks would end at the handler. The rule follows from the code, a call of rt_sigreturn(2): the
/// kernel's signal frame is at the stack pointer.
///
/// The rule comes from synthetic call frame information, which is used only if the image has none.
struct SignalTrampoline {
    /// SVMAs that the rule is for.
    let addresses: Range<UInt64>
    var section: FrameSection { frame.section }
    private let frame: StatedFrame

    /// `mov x8, #139` (rt_sigreturn), `svc #0`
    private static let code: [UInt8] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]
    /// Size limit of a vDSO: four memory pages of 64 KiB.
    private static let imageLimit: UInt64 = 4 << 16

    /// The trampoline of an image; nil if it has none, or is not an aarch64 image of a vDSO's size.
    ///
    /// Throws `ELFError` if the image can't be read.
    init?(of image: ELFImage) throws(ELFError) {
        guard image.machine.rawValue == TableMachine.aarch64.rawValue, image.is64Bit, image.size <= Self.imageLimit,
            let start = try Self.find(in: image)
        else { return nil }
        // Handlers return to its first byte, and return addresses are looked up at the preceding byte. The kernel has a
        // nop there for this purpose.
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

    /// The kernel's struct sigcontext has x29, sp and pc at offsets 544, 560 and 568 from the stack pointer
    /// (cfic/aarch64/sigframe.h).
    private static var instructions: [UInt8] {
        let stackPointer: [UInt8] = [0x8f]  // DW_OP_breg31
        func slot(_ offset: UInt16) -> [UInt8] {
            // SLEB128 of two bytes.
            stackPointer + [UInt8(offset & 0x7f) | 0x80, UInt8(offset >> 7)]
        }
        func expression(_ opcode: [UInt8], _ expression: [UInt8]) -> [UInt8] {
            opcode + [UInt8(expression.count)] + expression
        }
        return expression([0x0f], slot(560) + [0x06])  // DW_CFA_def_cfa_expression: deref
            + expression([0x10, 29], slot(544)) + expression([0x10, 30], slot(568))  // DW_CFA_expression
    }
}
