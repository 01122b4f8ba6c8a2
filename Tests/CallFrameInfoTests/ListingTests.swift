import CallFrameInfo
import Testing

func listRows(_ builder: FrameBuilder, pc: UInt64? = nil) -> String {
    builder.withSection { section in
        var text = ""
        FrameListing(sections: [section]).writeRows(to: &text, pc: pc)
        return text
    }
}

func listEntries(_ builder: FrameBuilder, pc: UInt64? = nil) -> String {
    builder.withSection { section in
        var text = ""
        FrameListing(sections: [section]).writeEntries(to: &text, pc: pc)
        return text
    }
}

func listed(_ builder: FrameBuilder, _ parts: FrameListing.Parts, pc: UInt64? = nil) -> [ListedEntry] {
    builder.withSection { section in
        var entries: [ListedEntry] = []
        FrameListing(sections: [section]).forEachEntry(parts, pc: pc) { entries.append($0) }
        return entries
    }
}

@Suite struct ListingTests {
    /// An FDE with two rows, between others.
    static let example: FrameBuilder = {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "zR", augmentationData: [0x00])
        builder.fde(cie: cie, augmentationData: [], instructions: [0x44, 0x0e, 16, 0x86, 2, 0x07, 16])
        builder.fde(cie: cie, start: 0x2000, augmentationData: [0xab], instructions: [0])
        builder.terminator()
        builder.terminator()
        return builder
    }()

    @Test func rowsAsText() {
        #expect(
            listRows(Self.example) == """
                Contents of the .eh_frame section:


                00000000 0000000000000012 00000000 CIE "zR" cf=1 df=-8 ra=16
                   LOC           CFA      ra    
                0000000000000000 rsp+8    c-8   

                00000016 000000000000001c 0000001a FDE cie=00000000 pc=0000000000001000..0000000000001100
                   LOC           CFA      rbp   ra    
                0000000000001000 rsp+8    u     c-8   
                0000000000001004 rsp+16   c-16  undef 

                00000036 0000000000000017 0000003a FDE cie=00000000 pc=0000000000002000..0000000000002100
                   LOC           CFA      ra    
                0000000000002000 rsp+8    c-8   

                00000051 ZERO terminator



                """)
    }

    @Test func entriesAsText() {
        #expect(
            listEntries(Self.example) == """
                Contents of the .eh_frame section:


                00000000 0000000000000012 00000000 CIE
                  Version:               1
                  Augmentation:          "zR"
                  Code alignment factor: 1
                  Data alignment factor: -8
                  Return address column: 16
                  Augmentation data:     00
                  DW_CFA_def_cfa: r7 (rsp) ofs 8
                  DW_CFA_offset: r16 (rip) at cfa-8

                00000016 000000000000001c 0000001a FDE cie=00000000 pc=0000000000001000..0000000000001100
                  DW_CFA_advance_loc: 4 to 0000000000001004
                  DW_CFA_def_cfa_offset: 16
                  DW_CFA_offset: r6 (rbp) at cfa-16
                  DW_CFA_undefined: r16 (rip)

                00000036 0000000000000017 0000003a FDE cie=00000000 pc=0000000000002000..0000000000002100
                  Augmentation data:     ab
                  DW_CFA_nop

                00000051 ZERO terminator



                """)
    }

    @Test func pcSelectsTheRowThatHoldsThere() {
        #expect(listRows(Self.example, pc: 0x1003).contains("0000000000001000 rsp+8    u     c-8   \n\n"))
        let second = listRows(Self.example, pc: 0x10ff)
        #expect(second.contains("0000000000001004 rsp+16   c-16  undef \n\n"))
        #expect(!second.contains("rsp+8 ") && !second.contains("pc=0000000000002000"))
    }

    @Test func pcSelectsTheEntryWithItsCIE() {
        let text = listEntries(Self.example, pc: 0x2000)
        #expect(text.contains(" CIE\n") && text.contains("pc=0000000000002000"))
        #expect(!text.contains("pc=0000000000001000"))
    }

    @Test func pcWithoutAnFDEListsNothing() {
        #expect(listRows(Self.example, pc: 0x1100) == "")
        #expect(listEntries(Self.example, pc: 0xfff) == "")
    }

    @Test func rowsBehindAnErrorAreNotGivenForAPC() {
        var builder = FrameBuilder()
        builder.fde(cie: builder.cie(), instructions: [0x44, 0x3f])
        #expect(listRows(builder, pc: 0x1003).contains("\n0000000000001000 rsp+8"))
        let behind = listRows(builder, pc: 0x1004)
        #expect(!behind.contains("rsp+8"))
        #expect(behind.contains("  error: .eh_frame+0x2b: unknown CFA instruction; nothing is known from 0x1004 on\n"))
    }

    @Test func listingGoesOnBehindABadEntry() {
        var builder = FrameBuilder()
        let cie = builder.cie()
        builder.fde(cie: 0x1000)
        builder.cie(version: 9)
        builder.fde(cie: cie, range: [1, 2, 3])
        builder.fde(cie: cie, start: 0x2000)
        for text in [listRows(builder), listEntries(builder)] {
            #expect(text.contains("  error: .eh_frame+0x12: CIE pointer points outside the section\n"))
            #expect(text.contains("  error: .eh_frame+0x2a: CIE version is not 1, 3 or 4\n"))
            #expect(text.contains("  error: .eh_frame+0x3c: ends in the middle of a value\n"))
            #expect(text.contains("pc=0000000000002000..0000000000002100\n"))
        }
    }

    @Test func lengthOutOfBoundsEndsTheSectionAndIsCounted() {
        var builder = FrameBuilder()
        builder.cie()
        builder.bytes += [0xff, 0xff, 0, 0, 0]
        let summary = builder.withSection { section in
            var text = ""
            let summary = FrameListing(sections: [section, section], names: ["a", "b"]).writeRows(to: &text)
            #expect(text.contains("  error: a+0x12: length points outside the section\n"))
            #expect(text.contains("  error: b+0x12: length points outside the section\n"))
            return summary
        }
        #expect(summary.problems == 2)
        #expect(summary.entries == 4)
    }

    @Test func registersAreNumberedWhereAMachineHasNoNames() {
        var builder = FrameBuilder(machine: 0x1234)
        builder.fde(cie: builder.cie(), instructions: [0x86, 2, 0x09, 5, 99])
        #expect(
            listRows(builder).contains(
                """
                   LOC           CFA      r5    r6    ra    
                0000000000001000 r7+8     r99   c-16  c-8   
                """))
    }

    @Test func signedReturnAddressesHaveAColumn() {
        var builder = FrameBuilder(machine: aarch64)
        let cie = builder.cie(returnAddress: [30], instructions: [0x0c, 31, 0])
        builder.fde(cie: cie, instructions: [0x44, 0x2d, 0x9e, 1, 0x44, 0x2d, 0x44, 0x2c])
        #expect(
            listRows(builder).contains(
                """
                   LOC           CFA      ra    sign  
                0000000000001000 sp+0     u     u     
                0000000000001004 sp+0     c-8   yes   
                0000000000001008 sp+0     c-8   u     
                000000000000100c sp+0     c-8   yes+pc 
                """))
    }

    @Test func tooManyRegistersAreSaid() {
        var builder = FrameBuilder()
        let instructions: [UInt8] = (UInt64(100)..<400).flatMap { [0x05] + uleb($0) + [1] }
        builder.fde(cie: builder.cie(), instructions: instructions)
        #expect(listRows(builder).contains("has rules for more than 256 registers; the rest is not shown"))
    }

    @Test func bytesOfTheFileAreEscaped() {
        var builder = FrameBuilder()
        builder.cie(augmentation: "z\u{1b}[31m", augmentationData: [])
        #expect(listRows(builder).contains("CIE \"z\\x1b[31m\" "))
    }

    @Test func overlappingCIEsDoNotTakeForever() {
        // Each FDE points into one long CIE, at an offset where the remaining bytes are a CIE, too.
        var builder = FrameBuilder(kind: .debugFrame)
        let count = 4000
        var body: [UInt8] = []
        for place in 0..<count {
            let rest = UInt64((count - place) * 16 - 4)
            body += builder.integer(rest, size: 4) + [0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x78, 16, 0, 0, 0]
        }
        builder.bytes = body
        for place in 0..<count { builder.fde(cie: place * 16) }
        let text = listRows(builder)
        #expect(text.contains("pc=0000000000001000..0000000000001100"))
        #expect(text.contains("CIEs overlap each other too often for this one to be read"))
    }

    @Test func textComesInPieces() {
        struct Pieces: TextOutputStream {
            var largest = 0
            var total = 0
            mutating func write(_ piece: String) {
                largest = max(largest, piece.utf8.count)
                total += piece.utf8.count
            }
        }
        var builder = FrameBuilder()
        builder.fde(cie: builder.cie(), length: 1 << 30, instructions: [UInt8](repeating: 0x41, count: 100_000))
        builder.fde(cie: 0, instructions: [0x0f] + uleb(1 << 20) + [UInt8](repeating: 0x30, count: 1 << 20))
        builder.withSection { section in
            var pieces = Pieces()
            FrameListing(sections: [section]).writeRows(to: &pieces)
            FrameListing(sections: [section]).writeEntries(to: &pieces)
            #expect(pieces.total > 5_000_000)
            #expect(pieces.largest < 100_000)
        }
    }

    @Test func entriesAsValues() throws {
        let entries = listed(Self.example, [.instructions, .rows])
        #expect(entries.map(\.kind) == [.cie, .fde, .fde, .terminator])
        #expect(entries.map(\.offset) == [0, 0x16, 0x36, 0x51])
        let cie = try #require(entries[0].cie)
        #expect(cie.augmentation == "zR" && cie.returnAddressRegister == 16 && cie.dataAlignment == -8)
        let fde = entries[1]
        #expect(fde.fde?.start == 0x1000 && fde.fde?.limit == 0x1100)
        #expect(
            fde.instructions?.map(\.name) == [
                "DW_CFA_advance_loc", "DW_CFA_def_cfa_offset", "DW_CFA_offset", "DW_CFA_undefined",
            ])
        #expect(
            fde.instructions?.map(\.operands) == ["4 to 0000000000001004", "16", "r6 (rbp) at cfa-16", "r16 (rip)"])
        let rows = try #require(fde.rows)
        #expect(rows.map(\.start) == [0x1000, 0x1004])
        #expect(rows.map(\.limit) == [0x1004, 0x1100])
        #expect(rows[1].cfa.register == 7 && rows[1].cfa.offset == 16)
        #expect(rows[1].registers.map(\.name) == ["rbp", "rip"])
        #expect(rows[1].registers.map(\.kind) == [.offset, .undefined])
        #expect(listed(Self.example, .rows, pc: 0x1001).first?.rows?.map(\.start) == [0x1000])
        #expect(entries[2].rows?.count == 1)
    }

    @Test func errorsAsValues() {
        var builder = FrameBuilder()
        let cie = builder.cie()
        builder.fde(cie: cie, instructions: [0x44, 0x3f])
        builder.fde(cie: 0x1000)
        builder.bytes += [1]
        let entries = listed(builder, [.instructions, .rows])
        #expect(entries.map(\.kind) == [.cie, .fde, .malformed, .malformed])
        #expect(
            entries.map { $0.problems.map(\.description) } == [
                [], [".eh_frame+0x2b: unknown CFA instruction"],
                [".eh_frame+0x2c: CIE pointer points outside the section"],
                [".eh_frame+0x44: ends in the middle of a value"],
            ])
        #expect(entries[1].rows?.map(\.limit) == [0x1004])
    }
}
