import CUnwindTable
import CXXHash
import CallFrameInfo
import UnwindTable

extension ArchitectureBuilder {
    /// Assembles the table in `output`: header, ranges, directory, rules, programs, pages.
    mutating func write(
        _ numbering: RuleNumbering, source: TableSource, options: TableOptions
    ) throws(TableError) {
        var sizes = [0, 0, 0, 0, 0]
        sizes[Int(CFIC_SECTION_RANGES.rawValue)] = layout.ranges.count * MemoryLayout<cfic_range>.size
        sizes[Int(CFIC_SECTION_DIRECTORY.rawValue)] = layout.directory.count * 4
        sizes[Int(CFIC_SECTION_RULES.rawValue)] = numbering.rules.count * MemoryLayout<Rule>.size
        let operations = numbering.programs.operations
        sizes[Int(CFIC_SECTION_EXPRESSIONS.rawValue)] = operations.count * MemoryLayout<Operation>.size
        var offsets: [Int] = []
        var end = MemoryLayout<cfic_table_header>.size
        for size in sizes {
            let start = (end + 15) & ~15
            offsets.append(start)
            end = start + size
        }
        // The pages come last. The first chunk's are already in `output`.
        let pages = Int(CFIC_SECTION_PAGES.rawValue)
        // Offsets in directory entries are 30-bit counts of 4 bytes. Finishing makes no record larger, so if offsets
        // fit now, they fit afterwards.
        let recordBytes = chunks.reduce(0) { $0 + $1.chunk.sink.drafts.encoder.recordBytes }
        guard recordBytes < (1 << 30) * Int(CFIC_RECORD_ALIGN) else { throw .tooLarge }
        finishPages(numbering, start: offsets[pages])
        sizes[pages] = output.count - offsets[pages]
        layout.fill(chunks)

        let bytes = UnsafeMutableRawBufferPointer(output.elements)
        zeroPadding(bytes, offsets, sizes)
        layout.ranges.withUnsafeBytes { copy($0, to: bytes, offsets[0]) }
        layout.directory.withUnsafeBytes { copy($0, to: bytes, offsets[1]) }
        numbering.rules.withUnsafeBytes { copy($0, to: bytes, offsets[2]) }
        numbering.programs.operations.withUnsafeBytes { copy($0, to: bytes, offsets[3]) }
        var place = offsets[pages]
        for handle in chunks {
            moveQuarters(bytes, pages: offsets[pages], chunk: place, handle.pages)
            place += handle.recordBytes
        }
        writeHeader(bytes, offsets, sizes, source, options)
    }

    /// Changes the quarters' offsets, which count from the chunk's first record, to count from the section's.
    private func moveQuarters(
        _ bytes: UnsafeMutableRawBufferPointer, pages: Int, chunk: Int,
        _ encoded: UnsafeMutableBufferPointer<EncodedPage>
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

    private func zeroPadding(_ bytes: UnsafeMutableRawBufferPointer, _ offsets: [Int], _ sizes: [Int]) {
        var end = MemoryLayout<cfic_table_header>.size
        for number in offsets.indices {
            for padding in end..<offsets[number] { bytes[padding] = 0 }
            end = offsets[number] + sizes[number]
        }
    }

    private func copy(_ source: UnsafeRawBufferPointer, to bytes: UnsafeMutableRawBufferPointer, _ offset: Int) {
        if source.isEmpty { return }
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + source.count]).copyMemory(from: source)
    }

    private func writeHeader(
        _ bytes: UnsafeMutableRawBufferPointer, _ offsets: [Int], _ sizes: [Int], _ source: TableSource,
        _ options: TableOptions
    ) {
        var header = cfic_table_header()
        withUnsafeMutableBytes(of: &header.magic) { $0.copyBytes(from: TableView.magic) }
        header.version = UInt16(CFIC_TABLE_VERSION)
        header.header_size = UInt16(MemoryLayout<cfic_table_header>.size)
        header.machine = A.machine
        header.pc_shift = A.pcShift
        header.rule_size = UInt8(MemoryLayout<Rule>.size)
        header.producer = Producer.code
        header.revision = Producer.revision
        header.options = options.bits
        let key = source.key.bytes.prefix(Int(CFIC_KEY_MAX))
        if case .content = source.key {
            header.key_kind = UInt8(CFIC_KEY_CONTENT.rawValue)
        } else {
            header.key_kind = UInt8(CFIC_KEY_BUILD_ID.rawValue)
        }
        header.key_size = UInt8(key.count)
        withUnsafeMutableBytes(of: &header.key) { $0.copyBytes(from: key) }
        withUnsafeMutableBytes(of: &header.digest) { $0.copyBytes(from: source.key.digest.prefix($0.count)) }
        header.debug_source = source.debugSource.rawValue
        header.source_size = source.size
        header.debug_size = source.debugSize
        header.counts = counts.fields
        withUnsafeMutableBytes(of: &header.sections) { raw in
            let sections = raw.bindMemory(to: cfic_section.self)
            for number in offsets.indices {
                let content = UnsafeRawBufferPointer(rebasing: bytes[offsets[number]..<offsets[number] + sizes[number]])
                sections[number] = cfic_section(
                    offset: UInt64(offsets[number]), size: UInt64(sizes[number]), checksum: TableView.checksum(content))
            }
        }
        withUnsafeBytes(of: &header) { raw in
            let covered = raw.count - MemoryLayout<UInt64>.size
            bytes.copyMemory(from: raw)
            let checksum = TableView.checksum(UnsafeRawBufferPointer(rebasing: raw[..<covered]))
            bytes.storeBytes(of: checksum, toByteOffset: covered, as: UInt64.self)
        }
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

    mutating func fill(_ chunks: [ChunkHandle<A>]) {
        var range = 0
        var recordBytes = 0
        for handle in chunks {
            let base = UInt32(truncatingIfNeeded: recordBytes / Int(CFIC_RECORD_ALIGN)) << UInt32(CFIC_PAGE_KIND_BITS)
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
            recordBytes += handle.recordBytes
        }
    }
}
