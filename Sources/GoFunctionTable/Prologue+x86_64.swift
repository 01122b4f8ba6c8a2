extension Prologue {
    /// The prologue of an x86-64 function.
    ///
    /// Go 1.7 to 1.20 reserve the frame (`sub $n, %rsp`), then save the frame pointer in its highest word; later versions push
    /// it. Return addresses are below the CFA in any case.
    ///
    /// - Parameters:
    ///   - depth: the first stack depth that isn't 0, in bytes.
    ///   - start: the SVMA of the function's first instruction.
    ///   - reserved: the SVMA where the depth begins to hold.
    ///   - code: the function's first bytes.
    static func x86_64(depth: Int, start: UInt64, reserved: UInt64, code: ArraySlice<UInt8>) -> Prologue {
        let at = code.startIndex + Int(reserved - start)
        guard at < code.endIndex, depth >= 8, depth % 8 == 0 else { return .unknown }
        // push %rbp
        if depth == 8, at > code.startIndex, code[at - 1] == 0x55 { return .savesFramePointer(from: reserved) }
        let slot = UInt32(depth - 8)
        let word = withUnsafeBytes(of: slot.littleEndian) { Array($0) }
        // mov %rbp, slot(%rsp), with a slot of one byte or of four; without one for the lowest word.
        let forms: [[UInt8]] = [
            slot == 0 ? [0x48, 0x89, 0x2c, 0x24] : [],
            slot < 0x80 ? [0x48, 0x89, 0x6c, 0x24, UInt8(truncatingIfNeeded: slot)] : [],
            [0x48, 0x89, 0xac, 0x24] + word,
        ]
        for form in forms where !form.isEmpty && code[at...].starts(with: form) {
            return .savesFramePointer(from: reserved + UInt64(form.count))
        }
        return .unknown
    }
}
