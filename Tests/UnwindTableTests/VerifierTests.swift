import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Tables from the compiler pass verification; truncated files don't.
@Suite struct VerifierTests {
    @Test func specimensAreWhatTheTestsBelowTakeThemFor() throws {
        let large = try Specimen.large()
        #expect(large.defect() == nil)
        #expect(
            kinds(large) == [
                .sparse, .dense, .quarters, .uniform, .sparse,
                .dense, .sparse,
            ])
        let palettes = [1, 4].map { large.load(large.record($0) + 2, as: UInt16.self) }
        #expect(palettes == [7, 3])
        let small = try Specimen.small()
        #expect(small.defect() == nil)
        #expect(
            kinds(small) == [
                .sparse, .dense, .quarters, .uniform, .sparse,
            ])
        #expect(try Specimen.aarch64().defect() == nil)
    }

    private func kinds(_ table: CorruptibleTable) -> [TableView.PageKind] {
        (0..<table.size(CFIC_SECTION_DIRECTORY) / 4).map {
            TableView.split(table.load(table.directory($0), as: UInt32.self)).kind
        }
    }

    @Test func misalignedBytesAreRefused() throws {
        let table = try Specimen.small()
        for misalignment in [1, 2, 4, 8] {
            let defect = table.defect(misalignment: misalignment)
            #expect(defect?.problem == "bytes do not start at a multiple of 16 in memory")
        }
    }

    @Test func everyTruncationIsRefused() throws {
        let table = try Specimen.small()
        var accepted: [Int] = []
        for count in 0..<table.bytes.count {
            var shorter = table
            shorter.truncate(to: count)
            if count >= 304 { shorter.fixChecksums() }
            if shorter.defect() == nil { accepted.append(count) }
        }
        #expect(accepted == [])
    }

    @Test func headerIsReadWithoutTheRest() throws {
        var table = try Specimen.small()
        let pages = table.start(CFIC_SECTION_PAGES)
        table.store(UInt64.max, at: pages)
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
        var table = try Specimen.small()
        let rules = Array(table.bytes[table.rule(0)..<table.rule(1)])
        table.truncate(to: 304)
        table.append(rules + [0, 0, 0, 0])
        for (section, size) in [0, 0, 12, 0, 0].enumerated() {
            table.store(UInt64(section < 3 ? 304 : 320), at: 176 + 24 * section)
            table.store(UInt64(size), at: 176 + 24 * section + 8)
        }
        table.fixChecksums()
        #expect(table.defect() == nil)
        let memory = GuardedBytes(table.bytes)
        let view = try TableVerifier.verify(memory.bytes)
        #expect(view.ruleNumber(at: 0x1_0000) == 0)
    }

    // MARK: Every byte

    @Test(arguments: [0x01, 0x80, 0xff, 0x55] as [UInt8])
    func everyChangedByteIsRefusedOrHarmless(_ mask: UInt8) throws {
        for table in [try Specimen.small(), try Specimen.aarch64()] {
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
        let table = try Specimen.small()
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
        var isRising = true
        view.forEachRow { range, rule in
            worst = max(worst, rule)
            if range.lowerBound < end || range.isEmpty { isRising = false }
            end = range.upperBound
        }
        #expect(worst < view.rules.count)
        #expect(isRising)
        view.forEachPage { _ in }
        for rule in view.rules.indices { _ = view.describe(rule) }
        return true
    }
}
