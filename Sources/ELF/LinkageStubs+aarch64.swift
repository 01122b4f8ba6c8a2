extension LinkageStubs {
    /// R_AARCH64_JUMP_SLOT, R_AARCH64_GLOB_DAT, R_AARCH64_IRELATIVE (ELF for the Arm 64-bit Architecture, "Relocation
    /// types").
    static let aarch64Relocations = Relocations(jumpSlot: 1026, globalData: 1025, indirect: 1032)

    /// A stub starts with `adrp x16, page; ldr x17, [x16, #offset]`, optionally after `bti c`, and ends where the next
    /// one starts. The first entry of `.plt` uses the dynamic linker's slot, which no relocation fills, so it gets no
    /// name.
    static func aarch64Stubs(_ bytes: UnsafeRawBufferPointer, _ section: Section) -> [Code] {
        func word(_ index: Int) -> UInt32? { bytes.integer(UInt32.self, at: index * 4, bigEndian: false) }
        var found: [Code] = []
        var open: (start: Int, slot: UInt64)?
        func close(at end: Int) {
            guard let last = open else { return }
            found.append(
                Code(
                    start: section.address &+ UInt64(last.start * 4), size: UInt64((end - last.start) * 4),
                    slot: .address(last.slot)))
        }
        let count = bytes.count / 4
        for index in 0..<count {
            guard let page = word(index), page & 0x9f00_001f == 0x9000_0010,  // adrp x16
                let load = word(index + 1), load & 0xffc0_03ff == 0xf940_0211  // ldr x17, [x16, #12 bits * 8]
            else { continue }
            // 21 bits, sign-extended, in units of 4 KiB.
            let bits = Int64(page >> 5 & 0x7ffff) << 2 | Int64(page >> 29 & 3)
            let distance = ((bits << 43) >> 43) << 12
            let here = section.address &+ UInt64(index * 4)
            let base = (here & ~0xfff) &+ UInt64(bitPattern: distance)
            let start = index > 0 && word(index - 1) == 0xd503_245f ? index - 1 : index  // bti c
            close(at: start)
            open = (start, base &+ UInt64(load >> 10 & 0xfff) * 8)
        }
        close(at: count)
        return found
    }
}
