import ELF
import Testing

struct BuildIDTests {
    let id: [UInt8] = Array(1...20)

    @Test(arguments: [true, false], [true, false])
    func isFoundThroughSegmentsWithoutSections(is64Bit: Bool, bigEndian: Bool) throws {
        let note = buildIDNote(id, bigEndian: bigEndian)
        let image = try image(
            ELFBuilder(
                is64Bit: is64Bit, bigEndian: bigEndian, segments: [.init(type: 4, covering: ".note", alignment: 4)],
                sections: [.init(name: ".note", bytes: note)], hasSectionHeaders: false))
        #expect(try image.buildID() == id)
    }

    @Test func isFoundThroughSectionsWithoutSegments() throws {
        let image = try image(ELFBuilder(sections: [.init(name: ".note", type: 7, bytes: buildIDNote(id))]))
        #expect(try image.buildID() == id)
    }

    @Test func isFoundBehindOtherNotes() throws {
        let notes = gnuNote(type: 1, Array(repeating: 0, count: 16)) + gnuNote(type: 4, [1, 2, 3]) + buildIDNote(id)
        let image = try image(
            ELFBuilder(
                segments: [.init(type: 4, covering: ".note", alignment: 4)],
                sections: [.init(name: ".note", type: 7, bytes: notes)]))
        #expect(try image.buildID() == id)
    }

    @Test func notesAlignedToEightArePaddedToEight() throws {
        // .note.gnu.property as x86-64 linkers write it; the descriptor of 12 bytes is padded to 16.
        let property = gnuNote(type: 5, Array(repeating: 7, count: 12)) + [0, 0, 0, 0]
        let image = try image(
            ELFBuilder(
                segments: [.init(type: 4, covering: ".note", alignment: 8)],
                sections: [.init(name: ".note", bytes: property + buildIDNote(id))], hasSectionHeaders: false))
        #expect(try image.buildID() == id)
    }

    @Test func noteOfAnotherOwnerIsNotIt() throws {
        var note = buildIDNote(id)
        note.replaceSubrange(12..<15, with: Array("FSF".utf8))
        let image = try image(ELFBuilder(sections: [.init(name: ".note", type: 7, bytes: note)]))
        #expect(try image.buildID() == nil)
    }

    @Test func imageWithoutNotesHasNone() throws {
        #expect(try image(ELFBuilder()).buildID() == nil)
        #expect(try image(ELFBuilder(hasSectionHeaders: false)).buildID() == nil)
    }

    @Test func noteLargerThanItsSegmentIsMalformed() throws {
        var note = buildIDNote(id)
        note.replaceSubrange(4..<8, with: encoded(UInt32.max))
        let image = try image(
            ELFBuilder(
                segments: [.init(type: 4, covering: ".note", alignment: 4)],
                sections: [.init(name: ".note", bytes: note)], hasSectionHeaders: false))
        #expect(elfError { try image.buildID() }?.isMalformed == true)
    }

    @Test func noteSegmentThatPointsAnywhereGivesWayToTheSection() throws {
        // As in debug files that keep the original program headers.
        let image = try image(
            ELFBuilder(
                segments: [.init(type: 4, offset: 1 << 40, fileSize: 36)],
                sections: [.init(name: ".note", type: 7, bytes: buildIDNote(id))]))
        #expect(try image.buildID() == id)
    }

    @Test func brokenSectionHeadersDontMatterToALoadableImageWithoutOne() throws {
        var layout = ELFBuilder(segments: [.init(flags: 5)]).layout()
        layout.patch(UInt64(1 << 40), at: 40)  // e_shoff
        #expect(try ELFImage(bytes: layout.bytes, name: "test").buildID() == nil)
    }

    @Test func endlessNotesAreNotRead() throws {
        let notes = Array(repeating: UInt8(0), count: 2 << 20)
        let image = try image(
            ELFBuilder(
                segments: [.init(type: 4, covering: ".note")], sections: [.init(name: ".note", bytes: notes)],
                hasSectionHeaders: false))
        #expect(elfError { try image.buildID() }?.isMalformed == true)
    }

    @Test func coreFileHasNone() throws {
        let image = try image(
            ELFBuilder(
                type: 4, segments: [.init(type: 4, covering: ".note", alignment: 4)],
                sections: [.init(name: ".note", bytes: buildIDNote(id))]))
        #expect(try image.buildID() == nil)
    }
}
