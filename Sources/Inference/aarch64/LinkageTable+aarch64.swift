extension LinkageTable {
    /// An instruction with variable fields (Arm A64 instruction set).
    private struct Pattern {
        var mask: UInt32 = 0xffff_ffff
        var value: UInt32

        func matches(_ word: UInt32) -> Bool { word & mask == value }

        static let landing = Pattern(value: 0xd503_245f)  // bti c
        static let page = Pattern(mask: 0x9f00_001f, value: 0x9000_0010)  // adrp x16, page
        static let load = Pattern(mask: 0xffc0_03ff, value: 0xf940_0211)  // ldr x17, [x16, #offset]
        static let add = Pattern(mask: 0xffc0_03ff, value: 0x9100_0210)  // add x16, x16, #offset
        static let authenticate = Pattern(value: 0xd503_219f)  // autia1716
        static let branch = Pattern(value: 0xd61f_0220)  // br x17
        static let authenticatedBranch = Pattern(value: 0xd71f_0a30)  // braa x17, x16

        static let saveLink = Pattern(value: 0xa9bf_7bf0)  // stp x16, x30, [sp, #-16]!

        static let saveArguments = Pattern(value: 0xa9bf_0fe2)  // stp x2, x3, [sp, #-16]!
        static let page2 = Pattern(mask: 0x9f00_001f, value: 0x9000_0002)  // adrp x2, page
        static let page3 = Pattern(mask: 0x9f00_001f, value: 0x9000_0003)  // adrp x3, page
        static let load2 = Pattern(mask: 0xffc0_03ff, value: 0xf940_0042)  // ldr x2, [x2, #offset]
        static let add3 = Pattern(mask: 0xffc0_03ff, value: 0x9100_0063)  // add x3, x3, #offset
        static let branch2 = Pattern(value: 0xd61f_0040)  // br x2

        /// Behind an entry: nop, brk, udf.
        static let padding = [
            Pattern(value: 0xd503_201f), Pattern(mask: 0xffe0_001f, value: 0xd420_0000),
            Pattern(mask: 0xffff_0000, value: 0),
        ]
        /// Instructions that the next one doesn't follow: b; br, ret and those with authentication; brk, udf.
        static let ends = [
            Pattern(mask: 0xfc00_0000, value: 0x1400_0000), Pattern(mask: 0xfebf_f000, value: 0xd61f_0000),
            Pattern(mask: 0xffe0_001f, value: 0xd420_0000), Pattern(mask: 0xffff_0000, value: 0),
        ]
    }

    /// An entry's instructions, optionally behind `bti c`, and what holds in front of those behind the first one.
    private struct Shape {
        var instructions: [Pattern]
        var depth: Int64 = 0
        var isInLinkRegister = true

        static let all = [
            // Stubs of bfd, gold, lld, mold and Go never move the stack pointer.
            Shape(instructions: [.page, .load, .add, .branch]),
            // -z pac-plt
            Shape(instructions: [.page, .load, .add, .authenticate, .branch]),
            Shape(instructions: [.page, .load, .add, .authenticatedBranch]),
            // mold's .plt.got; wild
            Shape(instructions: [.page, .load, .branch]),
            // The first entry, which calls the dynamic linker. x30 still has the return address, too.
            Shape(instructions: [.saveLink, .page, .load, .add, .branch], depth: 16, isInLinkRegister: false),
            // The entry for TLS descriptors, behind the stubs of bfd and gold. It saves arguments, not x30.
            Shape(instructions: [.saveArguments, .page2, .page3, .load2, .add3, .branch2], depth: 16),
        ]
    }

    mutating func readAArch64() {
        var offset = 0
        // Whether nothing in front flows into the next instruction: only there may an entry begin.
        var isStart = true
        while offset < bytes.count {
            if isStart, let next = readEntry(at: offset) {
                offset = next
                append(offset, depth: nil)
                continue
            }
            let word = word(at: offset)
            let isPadding = isStart && Pattern.padding.contains { $0.matches(word) }
            isStart = isPadding || Pattern.ends.contains { $0.matches(word) }
            offset += 4
        }
    }

    /// Appends the rows of the entry at an offset, and returns where it ends; nil if it has no known shape.
    private mutating func readEntry(at start: Int) -> Int? {
        let first = Pattern.landing.matches(word(at: start)) ? start + 4 : start
        for shape in Shape.all {
            let matches = shape.instructions.enumerated().allSatisfy { $1.matches(word(at: first + $0 * 4)) }
            guard matches else { continue }
            append(start, depth: 0, isInLinkRegister: true)
            append(first + 4, depth: shape.depth, isInLinkRegister: shape.isInLinkRegister)
            return first + shape.instructions.count * 4
        }
        return nil
    }
}
