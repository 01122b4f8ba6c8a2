import UnwindTable

/// Memory as it was at some moment: that of a core dump, or of a snapshot.
protocol DumpedMemory {
    /// Copies memory; false unless all of it is there.
    func copy(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer) -> Bool
}

extension DumpedMemory {
    /// The value of `size` bytes, 1 to 8: little-endian, zero-extended; nil unless they are there.
    func number(at address: UInt64, size: Int) -> UInt64? {
        var number: UInt64 = 0
        let isRead = withUnsafeMutableBytes(of: &number) {
            copy(from: address, to: UnsafeMutableRawBufferPointer(rebasing: $0[..<size]))
        }
        return isRead ? number : nil
    }
}

extension CoreFile: DumpedMemory {}

/// A frame of a walk, together with its memory.
struct DumpedFrame: FrameContext {
    let frame: WalkedFrame
    let memory: any DumpedMemory
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

    func number(at address: UInt64, size: Int) -> UInt64? { memory.number(at: address, size: size) }
}
