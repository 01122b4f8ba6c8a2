import UnwindTable

/// A frame of a walk, together with the memory of its core.
struct DumpedFrame: FrameContext {
    let frame: WalkedFrame
    let core: CoreFile
    let machine: TableMachine
    /// The innermost frame's registers, by DWARF number; empty for other frames.
    let registers: [UInt64]

    var pc: UInt64 { frame.pc }

    func register(_ number: UInt64) -> UInt64? {
        if number == machine.stackPointer { return frame.stackPointer }
        if number == machine.framePointer { return frame.framePointer }
        if number == (machine == .x86_64 ? 16 : 32) { return pc }
        return number < UInt64(registers.count) ? registers[Int(number)] : nil
    }

    func number(at address: UInt64, size: Int) -> UInt64? {
        var number: UInt64 = 0
        let isRead = withUnsafeMutableBytes(of: &number) {
            core.copy(from: address, to: UnsafeMutableRawBufferPointer(rebasing: $0[..<size]))
        }
        return isRead ? number : nil
    }
}
