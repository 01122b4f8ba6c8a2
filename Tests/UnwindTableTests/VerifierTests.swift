import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Tables from the compiler pass verification; truncated files don't.
@Suite struct VerifierTests {
    @Test func specimensAreWhatTheTestsBelowTakeThemFor() {
        let large = Specimen.large()
        #expect(large.defect() == nil)
        #expect(kinds(large) == [.sparse, .dense, .quarters, .uniform, .sparse, .dense, .dense, .sparse])
        let small = Specimen.small()
        #expect(small.defect() == nil)
        #expect(kinds(small) == [.sparse, .dense, .quarters, .uniform, .dense, .dense, .sparse])
        #expect(Specimen.aarch64().defect() == nil)
    }

    private func kinds(_ table: CorruptibleTable) -> [TableView.PageKind] {
        (0..<table.count(CFIC_SECTION_DIRECTORY)).map {
            TableView.split(table.load(table.directory($0), as: UInt32.self)).kind
        }
    }

    @Test func misalignedBytesAreRefused() throws {
        let table = Specimen.small()
        for misalignment in [1, 2, 4, 8] {
            let defect = table.defect(misalignment: misalignment)
            #expect(defect?.problem == "bytes do not start at a multiple of 16 in memory")
        }
    }

    @Test func everyTruncationIsRefused() throws {
        let table = Specimen.small()
        var accepted: [Int] = []
        for count in 0..<table.bytes.count {
            var shorter = table
            shorter.truncate(to: count)
            shorter.fixChecksums()
            if shorter.defect() == nil { accepted.append(count) }
        }
        #expect(accepted == [])
    }

    /// The longest header has 232 bytes, which needn't be aligned.
    @Test(arguments: [1, 8, 20, 48], [0, 16])
    func headerIsReadFromTheBeginning(keySize: Int, digestSize: Int) throws {
        var table = HandmadeTable()
        table.key = Array(1...UInt8(keySize))
        table.digest = [UInt8](repeating: 100, count: digestSize)
        let bytes = table.bytes
        let key = TableSource.Key.buildID(table.key, digest: table.digest)
        let size = CorruptibleTable(bytes).headerSize
        #expect(size <= TableHeader.longest && TableHeader.longest == 232)
        for count in [size, TableHeader.longest] {
            let memory = GuardedBytes(Array(bytes.prefix(count)), misalignment: 4)
            let header = try TableVerifier.readHeader(memory.bytes, fileSize: bytes.count)
            #expect(header.key == key && header.source.size == 4096 && header.size == size)
        }
        for count in 0..<size {
            let memory = GuardedBytes(Array(bytes.prefix(count)))
            #expect(throws: TableDefect.self) {
                try TableVerifier.readHeader(memory.bytes, fileSize: bytes.count)
            }
        }
    }

    @Test func headerIsReadWithoutTheRest() throws {
        var table = Specimen.small()
        table.store(UInt64.max, at: table.start(CFIC_SECTION_PAGES))
        let memory = GuardedBytes(table.bytes, misalignment: 4)
        let header = try TableVerifier.readHeader(memory.bytes)
        #expect(header.source.size == 4096)
        #expect(table.defect()?.problem == "checksum does not match")
    }

    @Test func emptyFileIsRefused() {
        #expect(throws: TableDefect.self) { try TableVerifier.readHeader(UnsafeRawBufferPointer(start: nil, count: 0)) }
        #expect(throws: TableDefect.self) { try TableVerifier.verify(UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    @Test func tableWithoutRangesIsATable() throws {
        // The compiler never makes this, but it is harmless.
        let memory = GuardedBytes(HandmadeTable().bytes)
        let view = try TableVerifier.verify(memory.bytes)
        #expect(view.ruleNumber(at: 0x1_0000) == 0)
        #expect(view.rules.count == 1 && view.rules[0] == .unknown(.noInformation))
    }

    @Test func rulesAreShortOrLong() throws {
        let memory = GuardedBytes(Specimen.large().bytes)
        let view = try TableVerifier.verify(memory.bytes)
        #expect(view.rules.count == 307)
        #expect(view.describe(0) == "unknown: \(Reason.noInformation.text)")
        #expect(view.describe(2) == "CFA = rsp+4016, rbp = *(CFA-16), ra = *(CFA-8)")
        #expect(view.describe(301) == "CFA = rsp+8, rsp = *(rsp+32), rbp = rbp, ra = *(CFA-8)")
        #expect(view.describe(304) == "end of stack")
        for number in view.rules.indices {
            let rule = withUnsafePointer(to: view.native) { Rule(cfic_native_rule($0, UInt32(number))) }
            #expect(rule == view.rules[number])
        }
    }

    @Test func pagesAreListed() throws {
        let memory = GuardedBytes(Specimen.large().bytes)
        let view = try TableVerifier.verify(memory.bytes)
        var pages: [TableView.Page] = []
        view.forEachPage { pages.append($0) }
        #expect(pages.map(\.itemCount) == [4, 262, 0, 0, 3, 260, 51, 7])
        #expect(pages.map(\.paletteCount) == [0, 7, 0, 0, 3, 0, 0, 7])
        // A template of 3 rows in page 0 and in page 4; one of 8 rows for some items of pages 1 and 6.
        let templates = (0..<262).count { $0 % 4 == 0 && $0 * 200 & 0xff <= 248 }
        let fine = (0..<51).count { $0 * 20 & 15 <= 8 }
        #expect(pages.map(\.rowCount) == [6, 262 + 7 * templates, 1312, 1, 5, 260, 51 + 7 * fine, 7])
        let dense = [4 + 256 + 2 + 2 * 7 + 2 * 262, 4 + 160 + 2 + 2 * 260, 4 + 64 + 2 + 2 * 51]
        #expect([1, 5, 6].map { pages[$0].recordBytes } == dense)
        #expect([0, 3, 4].map { pages[$0].recordBytes } == [4 + 3 * 4, 0, 4 + 2 * 3 + 3 * 3])
        #expect(view.templateRows.map(\.count) == [3, 8] && view.firstTemplate == 200)
    }

    // MARK: Every byte

    @Test(arguments: [0x01, 0x80, 0xff, 0x55] as [UInt8])
    func everyChangedByteIsRefusedOrHarmless(_ mask: UInt8) throws {
        for table in [Specimen.small(), Specimen.aarch64()] {
            var refused = 0
            for offset in table.bytes.indices {
                var changed = table
                changed.store(table.bytes[offset] ^ mask, at: offset)
                changed.fixChecksums()
                if !useIfAccepted(changed) { refused += 1 }
            }
            // A small table consists mostly of structure, so many changes are detected.
            #expect(refused > table.bytes.count / 10)
        }
    }

    @Test func everyChangedByteIsRefusedByItsChecksum() throws {
        let table = Specimen.small()
        for offset in table.bytes.indices {
            var changed = table
            changed.store(table.bytes[offset] ^ 0x10, at: offset)
            #expect(changed.defect() != nil, "byte \(offset)")
        }
    }

    /// If the verifier accepts the table, does lookups everywhere, which crash on an inaccessible page if the verifier
    /// missed a defect. False if it rejects the table.
    private func useIfAccepted(_ table: CorruptibleTable) -> Bool {
        let memory = GuardedBytes(table.bytes)
        guard let view = try? TableVerifier.verify(memory.bytes) else { return false }
        var worst = 0
        for range in view.ranges {
            let start = range.start_page << view.pageShift
            for step in 0..<min(UInt64(range.page_count), 8) * 64 {
                worst = max(worst, view.ruleNumber(at: start &+ step &* (1 << (view.pageShift - 6)) &+ step * 5))
                worst = max(worst, view.ruleNumber(at: start &+ step &* 5))
            }
        }
        var end: UInt64 = 0
        var isConsistent = true
        view.forEachRow { range, rule in
            worst = max(worst, rule)
            for address in [range.lowerBound, range.upperBound - 1] where view.ruleNumber(at: address) != rule {
                isConsistent = false
            }
            if range.lowerBound < end || range.isEmpty { isConsistent = false }
            end = range.upperBound
        }
        #expect(worst < view.rules.count)
        #expect(isConsistent)
        view.forEachPage { _ in }
        for rule in view.rules.indices { _ = view.describe(rule) }
        return true
    }
}
