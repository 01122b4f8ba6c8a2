extension Prologue {
    /// The prologue of an x86-64 function.
    ///
    /// Go 1.7 to 1.20 reserve the frame (`sub $n, %rsp`), then save the frame pointer in its highest word; later versions push
    /// it. Return addresses are below the CFA in any case.
    ///
    /// - Parameters:
    ///   - depth: the first stack depth that isn't 0, in bytes.
    ///   - start: the SVMA of the function's first instruction.
    ///   - reserved: the SVMA where the depth begins to hold, at an instruction.
    ///   - code: the function's bytes.
    static func x86_64(depth: Int, start: UInt64, reserved: UInt64, code: UnsafeRawBufferPointer) -> Prologue {
        let at = Int(reserved - start)
        guard at < code.count, depth >= 8, depth % 8 == 0 else { return .unknown }
        let rest = UnsafeRawBufferPointer(rebasing: code[at...])
        if depth == 8, pushes(UnsafeRawBufferPointer(rebasing: code[..<at])), rest.starts(with: [0x48, 0x89, 0xe5]) {
            return .savesFramePointer(from: reserved)
        }
        let slot = UInt32(depth - 8)
        let word = withUnsafeBytes(of: slot.littleEndian) { Array($0) }
        // mov %rbp, slot(%rsp), with a slot of one byte or of four; without one for the lowest word.
        let forms: [[UInt8]] = [
            slot == 0 ? [0x48, 0x89, 0x2c, 0x24] : [],
            slot < 0x80 ? [0x48, 0x89, 0x6c, 0x24, UInt8(truncatingIfNeeded: slot)] : [],
            [0x48, 0x89, 0xac, 0x24] + word,
        ]
        for form in forms where !form.isEmpty && rest.starts(with: form) {
            return .savesFramePointer(from: reserved + UInt64(form.count))
        }
        return .unknown
    }

    /// Whether code ends with `push %rbp`, in front of `mov %rsp, %rbp`: as a function's first instruction, or behind the branch
    /// that the check of the stack's size ends with. Behind anything else the byte may belong to another instruction, as that
    /// of `push %r13` does.
    private static func pushes(_ code: UnsafeRawBufferPointer) -> Bool {
        guard code.last == 0x55 else { return false }
        let before = code.count - 1
        return before == 0
            // jbe, with a distance of one byte or of four
            || before >= 2 && code[before - 2] == 0x76
            || before >= 6 && code[before - 6] == 0x0f && code[before - 5] == 0x86
    }
}
