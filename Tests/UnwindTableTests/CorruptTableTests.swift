import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// A way in which a table can be corrupt, and the defect that is expected.
struct Corruption: Sendable, CustomTestStringConvertible {
    var name: String
    var section: String
    var problem: String
    /// Whether to correct checksums, so that later checks are reached.
    var fixesChecksums = true
    var change: @Sendable (inout CorruptibleTable) -> Void

    init(
        _ name: String, _ section: String, _ problem: String, fixesChecksums: Bool = true,
        _ change: @escaping @Sendable (inout CorruptibleTable) -> Void
    ) {
        self.name = name
        self.section = section
        self.problem = problem
        self.fixesChecksums = fixesChecksums
        self.change = change
    }

    var testDescription: String { name }

    func require(of table: CorruptibleTable) {
        var table = table
        change(&table)
        if fixesChecksums { table.fixChecksums() }
        let defect = table.defect()
        #expect(defect?.section == section)
        #expect(defect?.problem == problem)
    }
}

@Suite struct CorruptTableTests {
    @Test(arguments: Corruption.ofHeader + Corruption.ofSections)
    func corruptHeader(_ corruption: Corruption) throws { corruption.require(of: try Specimen.large()) }

    @Test(arguments: Corruption.ofRanges + Corruption.ofDirectory)
    func corruptRangesAndDirectory(_ corruption: Corruption) throws { corruption.require(of: try Specimen.large()) }

    @Test(arguments: Corruption.ofRecords)
    func corruptRecord(_ corruption: Corruption) throws { corruption.require(of: try Specimen.large()) }

    @Test(arguments: Corruption.ofRules)
    func corruptRule(_ corruption: Corruption) throws { corruption.require(of: try Specimen.large()) }

    @Test(arguments: Corruption.ofPrograms)
    func corruptProgram(_ corruption: Corruption) throws { corruption.require(of: try Specimen.large()) }
}

extension Corruption {
    static let ofHeader: [Corruption] = [
        Corruption("magic", "header", "not a table: wrong magic") { $0.store(UInt8(0x88), at: 0) },
        Corruption("version", "header", "version 4 is not known") { $0.store(UInt16(4), at: 8) },
        Corruption("headerSize", "header", "header size is not 304") { $0.store(UInt16(312), at: 10) },
        Corruption("headerChecksum", "header", "checksum does not match", fixesChecksums: false) {
            $0.store(UInt8(1), at: 296)
        },
        Corruption("machine", "header", "machine 3 is not known") { $0.store(UInt16(3), at: 12) },
        Corruption("pcShift", "header", "pc shift is not the machine's") { $0.store(UInt8(2), at: 14) },
        Corruption("ruleSize", "header", "rule size is not 12") { $0.store(UInt8(24), at: 15) },
        Corruption("options", "header", "unknown option") { $0.store(UInt32(2), at: 20) },
        Corruption("keyKind", "header", "unknown kind of key") { $0.store(UInt8(3), at: 24) },
        Corruption("keyEmpty", "header", "key has the wrong size") { $0.store(UInt8(0), at: 25) },
        Corruption("keyTooLong", "header", "key has the wrong size") { $0.store(UInt8(49), at: 25) },
        Corruption("contentKeyOf4Bytes", "header", "key has the wrong size") { $0.store(UInt8(2), at: 24) },
        Corruption("debugSource", "header", "unknown source of .debug_frame") { $0.store(UInt8(4), at: 26) },
        Corruption("reserved", "header", "reserved byte is not zero") { $0.store(UInt8(1), at: 27) },
        Corruption("bytesBehindKey", "header", "bytes after the key are not zero") { $0.store(UInt8(1), at: 79) },
        Corruption("contentKeyWithDigest", "header", "a content key comes with a digest") {
            $0.store(UInt16(0x2002), at: 24)
            $0.store(UInt8(1), at: 95)
        },
    ]

    private static let misplaced = ": not at the first multiple of 16 after the previous section"

    static let ofSections: [Corruption] = [
        Corruption("sectionsOverlap", "header", "directory" + misplaced) {
            $0.store(UInt64(304), at: $0.entry(CFIC_SECTION_DIRECTORY))
        },
        Corruption("sectionMisaligned", "header", "rules" + misplaced) {
            $0.store(UInt64($0.start(CFIC_SECTION_RULES) + 4), at: $0.entry(CFIC_SECTION_RULES))
        },
        Corruption("sectionFarAway", "header", "pages" + misplaced) {
            $0.store(UInt64.max & ~15, at: $0.entry(CFIC_SECTION_PAGES))
        },
        Corruption("sectionBeyondFile", "header", "pages: extends beyond the end of the file") {
            $0.store(UInt64($0.size(CFIC_SECTION_PAGES) + 4), at: $0.entry(CFIC_SECTION_PAGES) + 8)
        },
        Corruption("sectionSizeOverflows", "header", "pages: extends beyond the end of the file") {
            $0.store(UInt64.max & ~3, at: $0.entry(CFIC_SECTION_PAGES) + 8)
        },
        Corruption("partOfAnElement", "header", "rules: size is not a multiple of 12") {
            $0.store(UInt64($0.size(CFIC_SECTION_RULES) - 8), at: $0.entry(CFIC_SECTION_RULES) + 8)
        },
        Corruption("bytesBehindTheEnd", "header", "file does not end with its last section") { $0.append([0]) },
        Corruption("padding", "rules", "padding is not zero") {
            $0.store(UInt8(1), at: $0.start(CFIC_SECTION_RULES) - 1)
        },
        Corruption("sectionChecksum", "pages", "checksum does not match", fixesChecksums: false) {
            $0.store(UInt8(0xee), at: $0.start(CFIC_SECTION_PAGES) + 5)
        },
    ]

    static let ofRanges: [Corruption] = [
        Corruption("rangeWithoutPages", "ranges", "range has no pages") { $0.store(UInt32(0), at: 304 + 8) },
        Corruption("rangesTouch", "ranges", "range does not start above the previous range, or touches it") {
            $0.store(UInt64(7), at: 304 + 16)
        },
        Corruption("rangesOutOfOrder", "ranges", "range does not start above the previous range, or touches it") {
            $0.store(UInt64(0), at: 304 + 16)
        },
        Corruption("rangeBeyondAddressSpace", "ranges", "range extends beyond the address space") {
            $0.store(UInt64(1) << 48, at: 304 + 16)
        },
        Corruption("rangeStartOverflows", "ranges", "range extends beyond the address space") {
            $0.store(UInt64.max, at: 304 + 16)
        },
        Corruption("directoryIndex", "ranges", "directory index is not the sum of the preceding counts") {
            $0.store(UInt32(5), at: 304 + 16 + 12)
        },
        Corruption("rangeWithoutEntries", "ranges", "range has pages without directory entries") {
            $0.store(UInt32(2), at: 304 + 16 + 8)
        },
        Corruption("hugeRange", "ranges", "range has pages without directory entries") {
            $0.store(UInt32.max, at: 304 + 16 + 8)
        },
        Corruption("entriesWithoutRange", "directory", "directory entries that belong to no range") {
            $0.store(UInt32(5), at: 304 + 8)
            $0.store(UInt32(5), at: 304 + 16 + 12)
        },
    ]

    static let ofDirectory: [Corruption] = [
        Corruption("uniformRuleNumber", "directory", "rule number is not below the number of rules") {
            $0.store(UInt32($0.size(CFIC_SECTION_RULES) / 12) << 2, at: $0.directory(3))
        },
        Corruption("recordTwice", "directory", "record does not follow those of earlier pages") {
            $0.store($0.load($0.directory(0), as: UInt32.self), at: $0.directory(4))
        },
        Corruption("recordsOverlap", "directory", "record does not follow those of earlier pages") {
            $0.store($0.load($0.directory(1), as: UInt32.self) - 4, at: $0.directory(1))
        },
        Corruption("recordOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32.max & ~3 | 1, at: $0.directory(6))
        },
        Corruption("headOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32($0.size(CFIC_SECTION_PAGES)) | 1, at: $0.directory(6))
        },
        Corruption("recordWithoutPages", "directory", "record lies outside the pages") {
            $0.removePages()
        },
        Corruption("recordEndsOutsidePages", "pages", "record ends outside the pages") {
            $0.store(UInt16(200), at: $0.record(6))
        },
        Corruption("quarterTwice", "directory", "record does not follow those of earlier pages") {
            let record = $0.record(2)
            $0.store($0.load(record, as: UInt32.self), at: record + 4)
        },
        Corruption("quarterOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32(1) << 30, at: $0.record(2) + 12)
        },
    ]
}
