extension LinkageStubs {
    /// R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT, R_X86_64_IRELATIVE (x86-64 psABI, "Relocation Types").
    static let x86_64Relocations = Relocations(jumpSlot: 7, globalData: 6, indirect: 37)

    private static let endbr64: [UInt8] = [0xf3, 0x0f, 0x1e, 0xfa]

    /// Stubs have 16 bytes, or 8 if they aren't bound lazily. Most jump with `jmp *slot(%rip)`; in a `.plt` that has a
    /// `.plt.sec`, they only push the number of their relocation. The first entry of `.plt` uses the dynamic linker's
    /// slot, which no relocation fills, so it gets no name.
    static func x86_64Stubs(_ bytes: UnsafeRawBufferPointer, _ section: Section) -> [Code] {
        // Linkers that don't state the size of short stubs align them to 8 bytes.
        let size = section.entrySize == 8 || section.entrySize == 0 && section.alignment == 8 ? 8 : 16
        var found: [Code] = []
        for offset in stride(from: 0, through: bytes.count - size, by: size) {
            var at = offset
            if bytes[offset...].starts(with: endbr64) { at += 4 }
            // In a `.plt` made for MPX, the jump has a BND prefix.
            if bytes[at] == 0xf2 { at += 1 }
            let start = section.address &+ UInt64(offset)
            func code(_ slot: Slot) -> Code { Code(start: start, size: UInt64(size), slot: slot) }
            if at + 6 <= offset + size, bytes[at] == 0xff, bytes[at + 1] == 0x25,
                let distance = bytes.integer(Int32.self, at: at + 2, bigEndian: false)
            {
                let next = section.address &+ UInt64(at + 6)
                found.append(code(.address(next &+ UInt64(truncatingIfNeeded: distance))))
            } else if at + 5 <= offset + size, bytes[at] == 0x68,
                let number = bytes.integer(UInt32.self, at: at + 1, bigEndian: false)
            {
                found.append(code(.number(number)))
            }
        }
        return found
    }
}
