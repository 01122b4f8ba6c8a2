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
    func corruptHeader(_ corruption: Corruption) throws { corruption.require(of: Specimen.large()) }

    @Test(arguments: Corruption.ofRanges + Corruption.ofDirectory)
    func corruptRangesAndDirectory(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }

    @Test(arguments: Corruption.ofSources)
    func corruptSource(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }

    @Test(arguments: Corruption.ofTemplates)
    func corruptTemplate(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }

    @Test(arguments: Corruption.ofSparseRecords + Corruption.ofDenseRecords + Corruption.ofQuarters)
    func corruptRecord(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }

    /// Fewer symbols than codes have a meaning.
    @Test(arguments: Corruption.ofCodes)
    func corruptCode(_ corruption: Corruption) { corruption.require(of: Specimen.small()) }

    @Test(arguments: Corruption.ofRules + Corruption.ofLongRules)
    func corruptRule(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }

    @Test(arguments: Corruption.ofAArch64Rules)
    func corruptRuleOfAArch64(_ corruption: Corruption) { corruption.require(of: Specimen.aarch64()) }

    @Test(arguments: Corruption.ofPrograms)
    func corruptProgram(_ corruption: Corruption) { corruption.require(of: Specimen.large()) }
}

extension Corruption {
    static let ofHeader: [Corruption] = [
        Corruption("magic", "header", "not a table: wrong magic") { $0.store(UInt8(0x88), at: 0) },
        Corruption("nextVersion", "header", "version 5 is not known") { $0.store(UInt16(5), at: 8) },
        Corruption("noVersion", "header", "version 0 is not known") { $0.store(UInt16(0), at: 8) },
        Corruption("firstVersion", "header", "version 1 is of an older cfic: compile the file again") {
            $0.store(UInt16(1), at: 8)
        },
        Corruption("lastVersion", "header", "version 3 is of an older cfic: compile the file again") {
            $0.store(UInt16(3), at: 8)
        },
        Corruption("headerChecksum", "header", "checksum does not match", fixesChecksums: false) {
            $0.store(UInt8(1), at: $0.headerSize - 8)
        },
        Corruption("machine", "header", "machine 3 is not known") { $0.store(UInt16(3), at: 10) },
        Corruption("pcShift", "header", "pc shift is not the machine's") { $0.store(UInt8(2), at: 12) },
        Corruption("keyKind", "header", "unknown kind of key") { $0.store(UInt8(3), at: 13) },
        Corruption("keyEmpty", "header", "key has the wrong size") { $0.store(UInt8(0), at: 14) },
        Corruption("keyTooLong", "header", "key has the wrong size") { $0.store(UInt8(49), at: 14) },
        Corruption("contentKeyOf4Bytes", "header", "key has the wrong size") { $0.store(UInt8(2), at: 13) },
        Corruption("digestOf8Bytes", "header", "digest has the wrong size, or a content key comes with one") {
            $0.store(UInt8(8), at: 15)
        },
        Corruption("contentKeyWithDigest", "header", "digest has the wrong size, or a content key comes with one") {
            $0.store(UInt16(0x2002), at: 13)
        },
        Corruption("bytesBehindDigest", "header", "bytes after key and digest are not zero") {
            $0.store(UInt8(1), at: 160 + 4 + 16)
        },
        Corruption("options", "header", "unknown option") { $0.store(UInt32(4), at: 20) },
        Corruption("debugSource", "header", "unknown source of .debug_frame") { $0.store(UInt8(5), at: 30) },
        Corruption("reserved", "header", "reserved byte is not zero") { $0.store(UInt8(1), at: 31) },
        Corruption("unused", "header", "unused bytes are not zero") { $0.store(UInt32(1), at: 148) },
    ]

    static let ofSources: [Corruption] = [
        Corruption("kindOfEHFrame", "sources", "kind 0 is not known") {
            $0.store(UInt32(0x30 << 2), at: $0.start(CFIC_SECTION_SOURCES) + 8)
        },
        Corruption("emptyRun", "sources", "run is empty") {
            $0.store(UInt32(3), at: $0.start(CFIC_SECTION_SOURCES) + 8)
        },
        Corruption("overlappingRuns", "sources", "run starts below the end of the previous one") {
            $0.store(UInt32(0x31 << 2 | 3), at: $0.start(CFIC_SECTION_SOURCES) + 8)
        },
        Corruption("descendingRuns", "sources", "run starts below the end of the previous one") {
            $0.store(UInt32(0), at: $0.start(CFIC_SECTION_SOURCES) + 12 + 4)
            $0.store(UInt32(0x1000), at: $0.start(CFIC_SECTION_SOURCES) + 12)
        },
        Corruption("runBeyondTheAddressSpace", "sources", "run extends beyond the address space") {
            $0.store(UInt64.max - 0xffe, at: $0.start(CFIC_SECTION_SOURCES) + 24)
        },
    ]

    static let ofSections: [Corruption] = [
        Corruption("registersNotEmpty", "header", "registers: not empty") {
            $0.store(UInt32(1), at: $0.length(CFIC_SECTION_REGISTERS))
        },
        Corruption("sectionBeyondFile", "header", "pages: extends beyond the end of the file") {
            $0.store(UInt32($0.count(CFIC_SECTION_PAGES) + 1), at: $0.length(CFIC_SECTION_PAGES))
        },
        Corruption("hugeSection", "header", "ranges: extends beyond the end of the file") {
            $0.store(UInt32.max, at: $0.length(CFIC_SECTION_RANGES))
        },
        Corruption("shortSection", "header", "file does not end 8 bytes after its last section") {
            $0.store(UInt32($0.count(CFIC_SECTION_PAGES) - 1), at: $0.length(CFIC_SECTION_PAGES))
        },
        Corruption("bytesBehindTheEnd", "header", "file does not end 8 bytes after its last section") {
            $0.append([0])
        },
        Corruption("withoutSpareBytes", "header", "pages: extends beyond the end of the file") {
            $0.truncate(to: $0.bytes.count - 1)
        },
        Corruption("firstSpareByte", "content", "bytes after the last section are not zero") {
            $0.store(UInt8(1), at: $0.bytes.count - 8)
        },
        Corruption("lastSpareByte", "content", "bytes after the last section are not zero") {
            $0.store(UInt8(0x80), at: $0.bytes.count - 1)
        },
        Corruption("contentChecksum", "content", "checksum does not match", fixesChecksums: false) {
            $0.store(UInt8(0xee), at: $0.start(CFIC_SECTION_PAGES) + 5)
        },
    ]

    static let ofRanges: [Corruption] = [
        Corruption("rangeWithoutPages", "ranges", "range has no pages") { $0.store(UInt32(0), at: $0.range(0) + 8) },
        Corruption("rangesTouch", "ranges", "range does not start above the previous range, or touches it") {
            $0.store(UInt64(8), at: $0.range(1))
        },
        Corruption("rangesOutOfOrder", "ranges", "range does not start above the previous range, or touches it") {
            $0.store(UInt64(0), at: $0.range(1))
        },
        Corruption("rangeBeyondAddressSpace", "ranges", "range extends beyond the address space") {
            $0.store(UInt64(1) << 48, at: $0.range(1))
        },
        Corruption("rangeStartOverflows", "ranges", "range extends beyond the address space") {
            $0.store(UInt64.max, at: $0.range(1))
        },
        Corruption("directoryIndex", "ranges", "directory index is not the sum of the preceding counts") {
            $0.store(UInt32(5), at: $0.range(1) + 12)
        },
        Corruption("rangeWithoutEntries", "ranges", "range has pages without directory entries") {
            $0.store(UInt32(2), at: $0.range(1) + 8)
        },
        Corruption("hugeRange", "ranges", "range has pages without directory entries") {
            $0.store(UInt32.max, at: $0.range(1) + 8)
        },
        Corruption("entriesWithoutRange", "directory", "directory entries that belong to no range") {
            $0.store(UInt32(6), at: $0.range(0) + 8)
            $0.store(UInt32(6), at: $0.range(1) + 12)
        },
    ]

    static let ofDirectory: [Corruption] = [
        Corruption("uniformRuleNumber", "directory", "rule number is not below the number of rules") {
            $0.store(UInt32($0.count(CFIC_SECTION_RULES)) << 2, at: $0.directory(3))
        },
        Corruption("recordTwice", "directory", "record does not follow those of earlier pages") {
            $0.store($0.load($0.directory(0), as: UInt32.self), at: $0.directory(4))
        },
        Corruption("recordsOverlap", "directory", "record does not follow those of earlier pages") {
            $0.store($0.load($0.directory(1), as: UInt32.self) - 4, at: $0.directory(1))
        },
        Corruption("recordOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32.max & ~3 | 1, at: $0.directory(7))
        },
        Corruption("headOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32($0.count(CFIC_SECTION_PAGES)) << 2 | 1, at: $0.directory(7))
        },
        Corruption("recordWithoutPages", "directory", "record lies outside the pages") {
            $0.empty(CFIC_SECTION_PAGES)
        },
        Corruption("recordEndsOutsidePages", "pages", "record ends outside the pages") {
            $0.store(UInt16(200), at: $0.record(7) + 2)
        },
        Corruption("indexEndsOutsidePages", "pages", "record ends outside the pages") {
            // A dense head where the last record is, 24 words before the end of the pages.
            $0.store($0.load($0.directory(7), as: UInt32.self) + 1, at: $0.directory(7))
            $0.store(UInt32(0xffff_0800), at: $0.record(7))
        },
        Corruption("quarterTwice", "directory", "record does not follow those of earlier pages") {
            let record = $0.record(2)
            $0.store($0.load(record, as: UInt32.self), at: record + 4)
        },
        Corruption("quarterOutsidePages", "directory", "record lies outside the pages") {
            $0.store(UInt32(1) << 30, at: $0.record(2) + 12)
        },
    ]

    static let ofTemplates: [Corruption] = [
        Corruption("257Templates", "templates", "there are more than 256 templates") {
            let template = HandmadeTable.bytes(of: [.init(0, 1), .init(1, 2)])
            let more = 257 - $0.count(CFIC_SECTION_TEMPLATES)
            $0.append((0..<more).flatMap { _ in template }, count: more, to: CFIC_SECTION_TEMPLATES)
        },
        Corruption("firstTemplate", "header", "first template's symbol is above the number of rules") {
            $0.store(UInt16($0.count(CFIC_SECTION_RULES) + 1), at: 28)
        },
        Corruption("65537Symbols", "templates", "there are more than 65,536 symbols") {
            let more = 65_535 - $0.count(CFIC_SECTION_RULES)
            let rules = (0..<more).flatMap { _ in [1, 0, 1, 0] as [UInt8] }
            $0.append(rules, count: more, to: CFIC_SECTION_RULES)
        },
        template(0, "has one row", [.init(0, 1)]),
        template(0, "first row is not at offset 0", [.init(1, 1), .init(2, 2)]),
        template(0, "offsets do not increase", [.init(0, 1), .init(5, 2), .init(5, 3)]),
        template(1, "offsets do not increase", (0..<7).map { .init($0, $0) } + [.init(5, 20)]),
        template(0, "adjacent rows have the same rule", [.init(0, 1), .init(5, 2), .init(6, 2)]),
        Corruption("templateRule", "templates", "template 1: rule number is not below the number of rules") { table in
            // With fewer rules; the pages are corrupt, too, but are proved later.
            let rules = table.rule(100)..<table.start(CFIC_SECTION_LONG_RULES)
            var bytes = table.bytes
            bytes.removeSubrange(rules)
            table = CorruptibleTable(bytes)
            table.store(UInt32(100), at: table.length(CFIC_SECTION_RULES))
            table.store(UInt16(100), at: 28)
            table.store(UInt8(100), at: table.template(1) + 15)
        },
        Corruption("unusedOffset", "templates", "template 0: offsets do not increase") {
            $0.store(UInt8(9), at: $0.template(0) + 3)
        },
        Corruption("unusedOffsetAfterUnused", "templates", filling) { $0.store(UInt8(254), at: $0.template(0) + 7) },
        Corruption("unusedRule", "templates", filling) { $0.store(UInt8(9), at: $0.template(0) + 8 + 7) },
    ]

    private static let filling = "template 0: unused row does not repeat the last row"

    private static func template(_ number: Int, _ problem: String, _ rows: [HandmadeTable.Row]) -> Corruption {
        Corruption("\(problem) of \(rows.count)", "templates", "template \(number): \(problem)") { table in
            for (position, byte) in HandmadeTable.bytes(of: rows).enumerated() {
                table.store(byte, at: table.template(number) + position)
            }
        }
    }
}
