extension Prologue {
    /// The prologue of an aarch64 function: the instruction that moves the stack pointer also saves the link register where
    /// it then points, or does so just before.
    ///
    /// Go saves the frame pointer below the stack pointer, where a signal's frame may overwrite it: nothing is said about it.
    ///
    /// - Parameters: as of ``x86_64(depth:start:reserved:code:)``.
    static func aarch64(depth: Int, start: UInt64, reserved: UInt64, code: UnsafeRawBufferPointer) -> Prologue {
        let at = Int(reserved - start)
        func instruction(_ place: Int) -> UInt32? {
            guard place >= 0, place + 4 <= code.count else { return nil }
            return UInt32(littleEndian: code.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        }
        // str x30, [sp, #-depth]!, which reaches 256 bytes.
        if depth <= 256, instruction(at - 4) == 0xf800_0ffe | UInt32(truncatingIfNeeded: -depth) << 12 & 0x1f_f000 {
            return .savesLink
        }
        // mov sp, x20 behind stp x29, x30, [x20, #-8]; with x20 = sp - depth, as the stack depth says.
        if instruction(at - 4) == 0x9100_029f, instruction(at - 8) == 0xa93f_fa9d { return .savesLink }
        return .unknown
    }
}
