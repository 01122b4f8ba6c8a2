import Inference
import Testing

/// Rows of procedure linkage tables of aarch64, in the shapes that linkers give them.
@Suite struct AArch64LinkageTableTests {
    private static let landing: UInt32 = 0xd503_245f  // bti c
    private static let saveLink: UInt32 = 0xa9bf_7bf0  // stp x16, x30, [sp, #-16]!
    private static let page: UInt32 = 0xf000_00f0  // adrp x16, +0x1f000
    private static let load: UInt32 = 0xf947_fe11  // ldr x17, [x16, #0xff8]
    private static let add: UInt32 = 0x913f_e210  // add x16, x16, #0xff8
    private static let authenticate: UInt32 = 0xd503_219f  // autia1716
    private static let branch: UInt32 = 0xd61f_0220  // br x17
    private static let authenticatedBranch: UInt32 = 0xd71f_0a30  // braa x17, x16
    private static let nop: UInt32 = 0xd503_201f
    private static let trap: UInt32 = 0xd420_7d00  // brk #0x3e8
    private static let header = [saveLink, page, load, add, branch, nop, nop, nop]
    private static let stub = [page, load, add, branch]
    /// stp x2, x3, [sp, #-16]!; adrp x2; adrp x3; ldr x2, [x2, #0xfe0]; add x3, x3, #0xfe8; br x2
    private static let descriptors: [UInt32] = [
        0xa9bf_0fe2, 0xf000_00e2, 0xf000_00e3, 0xf947_f042, 0x913f_a063, 0xd61f_0040,
    ]

    /// `OFFSET: DEPTH`, with x30 if the return address is in it; or `none`.
    private func rows(_ words: [UInt32]) -> [String] {
        words.map(\.littleEndian).withUnsafeBytes { LinkageTable.rows($0, at: 0x1000, isAArch64: true) }
            .map { row in
                let rule = row.depth.map { "\($0)\(row.isInLinkRegister ? " x30" : "")" }
                return "\(row.address - 0x1000): \(rule ?? "none")"
            }
    }

    @Test func table() {
        #expect(
            rows(Self.header + Self.stub + Self.stub) == [
                "0: 0 x30", "4: 16", "20: none", "32: 0 x30", "64: none",
            ])
    }

    /// bfd pads stubs to 24 bytes, lld those without bti, too.
    @Test func branchTargetIdentification() {
        #expect(
            rows(
                [Self.landing] + Self.header.dropLast() + [Self.landing] + Self.stub + [Self.nop] + Self.stub
                    + [Self.nop, Self.nop]) == [
                    "0: 0 x30", "8: 16", "24: none", "32: 0 x30", "52: none", "56: 0 x30", "72: none",
                ])
    }

    @Test func pointerAuthentication() {
        #expect(
            rows([
                Self.page, Self.load, Self.add, Self.authenticate, Self.branch, Self.nop,
                Self.landing, Self.page, Self.load, Self.add, Self.authenticate, Self.branch,
                Self.page, Self.load, Self.add, Self.authenticatedBranch, Self.nop, Self.nop,
            ]) == ["0: 0 x30", "20: none", "24: 0 x30", "64: none"])
    }

    @Test func tableOfMold() {
        #expect(
            rows(Self.header.prefix(5) + [Self.trap, Self.trap, Self.trap] + Self.stub) == [
                "0: 0 x30", "4: 16", "20: none", "32: 0 x30", "48: none",
            ])
        // .plt.got
        #expect(
            rows([Self.page, Self.load, Self.branch, Self.trap, Self.page, Self.load, Self.branch, Self.nop]) == [
                "0: 0 x30", "12: none", "16: 0 x30", "28: none",
            ])
    }

    /// What is at the end of bfd's and gold's tables; x30 isn't saved.
    @Test func descriptors() {
        #expect(
            rows(Self.stub + Self.descriptors + [Self.nop, Self.nop]) == ["0: 0 x30", "20: 16 x30", "40: none"])
        #expect(
            rows(Self.stub + [Self.landing] + Self.descriptors + [Self.nop]) == [
                "0: 0 x30", "24: 16 x30", "44: none",
            ])
    }

    @Test func unknownInstructionsGetNoRule() {
        // ldr x18 instead of x17
        #expect(rows([Self.page, 0xf947_fe12, Self.add, Self.branch] + Self.stub) == ["16: 0 x30", "32: none"])
        #expect(rows([Self.page, Self.load, Self.add, Self.nop]) == [])
        #expect(rows([Self.nop, Self.nop, 0, 0]) == [])
    }

    /// Behind an unknown instruction that goes on, the stack pointer is unknown.
    @Test func entriesDoNotBeginInTheMiddle() {
        let push: UInt32 = 0xf81f_0ffe  // str x30, [sp, #-16]!
        #expect(rows([push] + Self.stub) == [])
        #expect(rows([push, Self.nop] + Self.stub) == [])
        #expect(rows([push, Self.landing] + Self.stub) == [])
        #expect(rows([push, 0xd63f_0220] + Self.stub) == [])  // blr x17
        #expect(rows([push, 0x5400_0000] + Self.stub) == [])  // b.eq
        let last = ["8: 0 x30", "24: none"]
        #expect(rows([push, 0x1400_0004] + Self.stub) == last)  // b
        #expect(rows([push, Self.branch] + Self.stub) == last)
        #expect(rows([push, Self.authenticatedBranch] + Self.stub) == last)
        #expect(rows([push, 0xd65f_03c0] + Self.stub) == last)  // ret
        #expect(rows([push, Self.trap] + Self.stub) == last)
        #expect(rows([push, 0] + Self.stub) == last)
        #expect(rows([push, Self.branch, Self.nop] + Self.stub) == ["12: 0 x30", "28: none"])
    }

    @Test func cutOffTables() {
        let words = Self.header + Self.stub + Self.descriptors
        let bytes = words.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
        for count in 0...bytes.count {
            let rows = bytes[..<count].withUnsafeBytes { LinkageTable.rows($0, at: 0, isAArch64: true) }
            let ends = [20, 48, 72].filter { $0 <= count }
            #expect(rows.last?.address == ends.last.map(UInt64.init), "\(count) bytes")
        }
    }
}
