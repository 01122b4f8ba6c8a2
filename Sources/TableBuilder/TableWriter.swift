import CUnwindTable
import CXXHash
import CallFrameInfo
import UnwindTable

extension ArchitectureBuilder {
    /// Assembles the table in `output`: header, ranges, programs, templates, directory, rules, sources, pages.
    mutating func write(
        _ numbering: RuleNumbering, _ symbols: borrowing SymbolNumbering, source: TableSource, options: TableOptions
    ) throws(TableError) {
        var shortRules: [cfic_short_rule] = []
        var longRules: [Rule] = []
        for rule in numbering.rules {
            if let short = rule.short(machine: source.machine) {
                shortRules.append(short)
            } else {
                shortRules.append(cfic_short_rule(longIndex: longRules.count))
                longRules.append(rule)
            }
        }
        // In a header, a longer key is cut, and so is its digest.
        let key = source.key.bytes.prefix(Int(CFIC_KEY_MAX)), digest = source.key.digest.prefix(Int(CFIC_DIGEST_SIZE))
        let headerSize = TableHeader.size(keySize: key.count, digestSize: digest.count)
        var lengths = [Int](repeating: 0, count: Int(CFIC_SECTION_COUNT.rawValue))
        var offsets = lengths
        lengths[Int(CFIC_SECTION_RANGES.rawValue)] = layout.ranges.count
        lengths[Int(CFIC_SECTION_EXPRESSIONS.rawValue)] = numbering.programs.operations.count
        lengths[Int(CFIC_SECTION_TEMPLATES.rawValue)] = symbols.templates.count
        lengths[Int(CFIC_SECTION_DIRECTORY.rawValue)] = layout.directory.count
        lengths[Int(CFIC_SECTION_RULES.rawValue)] = shortRules.count
        lengths[Int(CFIC_SECTION_LONG_RULES.rawValue)] = longRules.count
        let sourceRuns = sourceRuns()
        lengths[Int(CFIC_SECTION_SOURCES.rawValue)] = sourceRuns.count
        var end = headerSize
        for section in lengths.indices {
            offsets[section] = end
            end += lengths[section] * TableHeader.elementSize(cfic_section_index(UInt32(section)))
        }
        // The pages, whose size isn't known yet, come last.
        let pages = offsets[Int(CFIC_SECTION_PAGES.rawValue)]
        output.removeAll()
        output.reserveCapacity(pages)
        output.setCount(pages)
        let recordBytes = encodePages(numbering, symbols)
        // Offsets in directory entries are 30-bit counts of 4 bytes.
        guard output.count - pages < (1 << 30) * Int(CFIC_RECORD_ALIGN) else { throw .tooLarge }
        lengths[Int(CFIC_SECTION_PAGES.rawValue)] = (output.count - pages) / Int(CFIC_RECORD_ALIGN)
        for _ in 0..<CFIC_SPARE_BYTES { output.append(0) }
        layout.fill(chunks, recordBytes)

        let bytes = UnsafeMutableRawBufferPointer(output.elements)
        layout.ranges.withUnsafeBytes { copy($0, to: bytes, offsets[Int(CFIC_SECTION_RANGES.rawValue)]) }
        numbering.programs.operations.withUnsafeBytes {
            copy($0, to: bytes, offsets[Int(CFIC_SECTION_EXPRESSIONS.rawValue)])
        }
        symbols.templates.map(\.fields).withUnsafeBytes {
            copy($0, to: bytes, offsets[Int(CFIC_SECTION_TEMPLATES.rawValue)])
        }
        layout.directory.withUnsafeBytes { copy($0, to: bytes, offsets[Int(CFIC_SECTION_DIRECTORY.rawValue)]) }
        shortRules.withUnsafeBytes { copy($0, to: bytes, offsets[Int(CFIC_SECTION_RULES.rawValue)]) }
        longRules.withUnsafeBytes { copy($0, to: bytes, offsets[Int(CFIC_SECTION_LONG_RULES.rawValue)]) }
        sourceRuns.withUnsafeBytes { copy($0, to: bytes, offsets[Int(CFIC_SECTION_SOURCES.rawValue)]) }
        var place = pages
        for (handle, size) in zip(chunks, recordBytes) {
            moveQuarters(bytes, pages: pages, chunk: place, handle.pages)
            place += size
        }
        writeHeader(bytes, size: headerSize, lengths, firstTemplate: symbols.first, source, options)
    }

    /// Changes the quarters' offsets, which count from the chunk's first record, to count from the section's.
    private func moveQuarters(
        _ bytes: UnsafeMutableRawBufferPointer, pages: Int, chunk: Int,
        _ encoded: UnsafeMutableBufferPointer<DraftPage>
    ) {
        let distance = UInt32(truncatingIfNeeded: (chunk - pages) / Int(CFIC_RECORD_ALIGN))
        if distance == 0 { return }
        for page in encoded {
            let (kind, place) = TableView.split(page.entry)
            guard kind == .quarters else { continue }
            for quarter in 0..<4 {
                let offset = chunk + Int(place) * Int(CFIC_RECORD_ALIGN) + 4 * quarter
                let moved = bytes.load(fromByteOffset: offset, as: UInt32.self) &+ distance
                bytes.storeBytes(of: moved, toByteOffset: offset, as: UInt32.self)
            }
        }
    }

    private func copy(_ source: UnsafeRawBufferPointer, to bytes: UnsafeMutableRawBufferPointer, _ offset: Int) {
        if source.isEmpty { return }
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + source.count]).copyMemory(from: source)
    }

    private func writeHeader(
        _ bytes: UnsafeMutableRawBufferPointer, size: Int, _ lengths: [Int], firstTemplate: Int, _ source: TableSource,
        _ options: TableOptions
    ) {
        var header = cfic_table_header()
        withUnsafeMutableBytes(of: &header.magic) { $0.copyBytes(from: TableView.magic) }
        header.version = UInt16(CFIC_TABLE_VERSION)
        header.machine = A.machine
        header.pc_shift = A.pcShift
        header.producer = Producer.code
        header.revision = Producer.revision
        header.options = options.bits
        header.first_template = UInt16(firstTemplate)
        if case .content = source.key {
            header.key_kind = UInt8(CFIC_KEY_CONTENT.rawValue)
        } else {
            header.key_kind = UInt8(CFIC_KEY_BUILD_ID.rawValue)
        }
        let key = source.key.bytes.prefix(Int(CFIC_KEY_MAX))
        header.key_size = UInt8(key.count)
        let digest = source.key.digest.prefix(Int(CFIC_DIGEST_SIZE))
        header.digest_size = UInt8(digest.count)
        header.debug_source = source.debugSource.rawValue
        header.source_size = source.size
        header.debug_size = source.debugSize
        header.counts = counts.fields
        withUnsafeMutableBytes(of: &header.lengths) { raw in
            // Each fits: directories and records are checked, and the rest is smaller.
            for (section, length) in lengths.enumerated() {
                raw.storeBytes(of: UInt32(length), toByteOffset: 4 * section, as: UInt32.self)
            }
        }
        header.checksum = TableView.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[size...]))
        withUnsafeBytes(of: header) { bytes.copyMemory(from: $0) }
        let variable = UnsafeMutableRawBufferPointer(rebasing: bytes[MemoryLayout<cfic_table_header>.size..<size])
        variable.initializeMemory(as: UInt8.self, repeating: 0)
        variable.copyBytes(from: Array(key) + Array(digest))
        let covered = size - MemoryLayout<UInt64>.size
        let checksum = TableView.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<covered]))
        bytes.storeBytes(of: checksum, toByteOffset: covered, as: UInt64.self)
    }
}

/// A table's page ranges and directory.
struct PageLayout<A: Architecture> {
    private(set) var ranges: [cfic_range] = []
    private(set) var directory: [UInt32] = []

    init() {}

    /// Size of ranges and directory in bytes.
    var byteCount: Int { ranges.count * MemoryLayout<cfic_range>.size + directory.count * 4 }

    /// Computes the page ranges. `fill` then fills the directory.
    init(executable: [Range<UInt64>]) throws(TableError) {
        let pageShift = UInt64(A.pcShift) + UInt64(CFIC_PAGE_BITS)
        var pages: [Range<UInt64>] = []
        for range in executable where !range.isEmpty {
            let first = range.lowerBound >> pageShift
            let end = (range.upperBound - 1) >> pageShift + 1
            if let last = pages.last, first <= last.upperBound {
                pages[pages.count - 1] = last.lowerBound..<max(last.upperBound, end)
            } else {
                pages.append(first..<end)
            }
        }
        var total: UInt64 = 0
        for range in pages {
            let count = range.upperBound - range.lowerBound
            // `executable` contains only file-backed bytes, so the file's size bounds the directory.
            guard total + count <= UInt64(UInt32.max) else { throw .tooLarge }
            ranges.append(
                cfic_range(
                    start_page: range.lowerBound, page_count: UInt32(count), directory_index: UInt32(total)))
            total += count
        }
        directory = [UInt32](repeating: 0, count: Int(total))
    }

    /// - Parameter recordBytes: of each chunk.
    mutating func fill(_ chunks: [ChunkHandle<A>], _ recordBytes: [Int]) {
        var range = 0
        var passed = 0
        for (handle, size) in zip(chunks, recordBytes) {
            let base = UInt32(truncatingIfNeeded: passed / Int(CFIC_RECORD_ALIGN)) << UInt32(CFIC_PAGE_KIND_BITS)
            for page in handle.pages {
                while range < ranges.count, ranges[range].start_page + UInt64(ranges[range].page_count) <= page.number {
                    range += 1
                }
                // Pages outside all ranges contain only the continuation of a segment's last rule.
                guard range < ranges.count, page.number >= ranges[range].start_page else { continue }
                let entry = page.entry
                let isRecord = entry & (1 << UInt32(CFIC_PAGE_KIND_BITS) - 1) != TableView.PageKind.uniform.rawValue
                let first = Int(ranges[range].directory_index) + Int(page.number - ranges[range].start_page)
                let count = min(page.count, UInt64(directory.count - first))
                for index in first..<first + Int(count) { directory[index] = isRecord ? entry &+ base : entry }
            }
            passed += size
        }
    }
}
