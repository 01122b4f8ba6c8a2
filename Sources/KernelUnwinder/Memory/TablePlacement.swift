import CUnwindTable
import UnwindTable

/// A range of a table's pages, with the place of its `struct cfic_loaded_range`, the range's *head*. Mappings lead to the
/// head, which remains there when the table is evicted.
struct PlacedRange {
    /// SVMAs.
    var addresses: Range<UInt64>
    /// The number of its pages.
    var pageCount: UInt32
    var place: UInt32
}

/// Generates unique numbers. BPF programs remember rules by the number of a range, and samples contain the number of
/// their process's mappings.
struct Numbers {
    private var last: UInt32 = 0

    mutating func next() -> UInt32 {
        // Traps after 4 billion numbers.
        last += 1
        return last
    }
}

/// Copies a proved table into kernel memory. Records, templates, rules and programs are copied unchanged. The directory
/// refers to the records' places there, and the heads of ranges to the rest.
struct TablePlacement {
    private let view: TableView
    private let memory: ElementMemory
    private var spans: [Span] = []
    /// Offsets of records in the pages section, in words, ascending; and the places of the copies.
    private var starts: [UInt32] = []
    private var places: [UInt32] = []

    /// Allocates the heads of a table's ranges. They say that the table isn't there.
    static func placeHeads(
        of view: TableView, in memory: ElementMemory
    ) throws(KernelError) -> (ranges: [PlacedRange], spans: [Span]) {
        var placement = TablePlacement(view: view, memory: memory)
        do throws(KernelError) { return (try placement.placeHeads(), placement.spans) } catch {
            for span in placement.spans { memory.free(span) }
            throw error
        }
    }

    /// Copies a table, and has its heads lead to the copy. BPF programs use it when the heads have their numbers of
    /// pages.
    ///
    /// - Parameters:
    ///   - heads: those of the same table; BPF programs don't use what they say.
    ///   - numbers: provides `cfic_loaded_range.number`.
    /// - Returns: what it takes, without the heads.
    static func place(
        _ view: TableView, heads: [PlacedRange], _ numbers: inout Numbers, in memory: ElementMemory
    ) throws(KernelError) -> [Span] {
        var placement = TablePlacement(view: view, memory: memory)
        do throws(KernelError) {
            try placement.placeRecords()
            try placement.placeRanges(heads, &numbers)
        } catch {
            for span in placement.spans { memory.free(span) }
            throw error
        }
        return placement.spans
    }

    private init(view: TableView, memory: ElementMemory) {
        self.view = view
        self.memory = memory
    }

    // MARK: Records

    /// In words: no record is that near the end of its element.
    private static var spare: Int { Int(CFIC_ELEMENT_SPARE) / 4 }

    /// Copies runs of records, each as long as the rest of an element allows.
    private mutating func placeRecords() throws(KernelError) {
        collectStarts()
        places = Array(repeating: 0, count: starts.count)
        guard let pages = view.pages.baseAddress else { return }
        var first = 0
        while first < starts.count {
            let rest = try memory.allocateRest(minimum: size(first) + Self.spare)
            let room = min(rest.count, memory.allocator.words(toEndOfElementWith: rest.place) - Self.spare)
            let end = Self.endOfRun(from: first, starts, words: room, size: size)
            for record in first..<end { places[record] = rest.place + (starts[record] - starts[first]) }
            let count = Int(starts[end - 1] - starts[first]) + size(end - 1)
            memory.pointer(rest.place).copyMemory(from: pages + Int(starts[first]) * 4, byteCount: count * 4)
            spans.append(Span(place: rest.place, count: count))
            memory.freeUnused(Span(place: rest.place + UInt32(count), count: rest.count - count))
            first = end
        }
        rewriteQuarters()
    }

    /// A run consists of consecutive records without gaps, so that it can be copied as a whole.
    ///
    /// - Parameters:
    ///   - starts: the offsets of all records, in words, ascending.
    ///   - words: the largest size of the run; at least the size of its first record.
    /// - Returns: the index after the run's last record.
    static func endOfRun(from first: Int, _ starts: [UInt32], words: Int, size: (Int) -> Int) -> Int {
        var end = first + 1
        while end < starts.count, Int(starts[end] - starts[first]) + size(end) <= words,
            Int(starts[end] - starts[end - 1]) == size(end - 1)
        { end += 1 }
        return end
    }

    /// The size of a record in words, or more: up to the next record, but at most the largest possible size.
    private func size(_ index: Int) -> Int {
        let end = index + 1 < starts.count ? Int(starts[index + 1]) : view.pages.count / 4
        return min(end - Int(starts[index]), Int(CFIC_RECORD_MAX) / 4)
    }

    private mutating func collectStarts() {
        starts.reserveCapacity(view.directory.count)
        for entry in view.directory {
            let value = entry >> UInt32(CFIC_PAGE_KIND_BITS)
            switch entry & UInt32(1 << CFIC_PAGE_KIND_BITS - 1) {
            case CFIC_PAGE_UNIFORM.rawValue: break
            case CFIC_PAGE_QUARTERS.rawValue:
                starts.append(value)
                withUnsafeBytes(of: quarters(value)) { starts += $0.bindMemory(to: UInt32.self) }
            default: starts.append(value)
            }
        }
    }

    private func quarters(_ place: UInt32) -> cfic_quarters {
        view.pages.loadUnaligned(fromByteOffset: Int(place) * 4, as: cfic_quarters.self)
    }

    /// Replaces the offsets in heads of quarters by the places of the copies.
    private func rewriteQuarters() {
        var index = 0
        for entry in view.directory {
            switch entry & UInt32(1 << CFIC_PAGE_KIND_BITS - 1) {
            case CFIC_PAGE_UNIFORM.rawValue: break
            case CFIC_PAGE_QUARTERS.rawValue:
                let head = memory.pointer(places[index]).assumingMemoryBound(to: UInt32.self)
                for quarter in 0..<4 { head[quarter] = places[index + 1 + quarter] }
                index += 5
            default: index += 1
            }
        }
    }

    // MARK: Everything else

    private mutating func placeHeads() throws(KernelError) -> [PlacedRange] {
        let shift = view.pageShift, words = MemoryLayout<cfic_loaded_range>.size / 4
        var ranges: [PlacedRange] = []
        for range in view.ranges {
            let place = try placeWords(words, alignment: words)
            memory.head(place).pointee.start = range.start_page << shift
            // The verifier proved that ranges don't exceed 2^64, but the last page may end exactly there.
            let end = (range.start_page + UInt64(range.page_count)).multipliedReportingOverflow(by: 1 << shift)
            ranges.append(
                PlacedRange(
                    addresses: range.start_page << shift..<(end.overflow ? .max : end.partialValue),
                    pageCount: range.page_count, place: place))
        }
        return ranges
    }

    private mutating func placeRanges(_ heads: [PlacedRange], _ numbers: inout Numbers) throws(KernelError) {
        // One after the other, so that most lookups need only one element besides the records'.
        let templates = try placeCopy(of: UnsafeRawBufferPointer(view.templates), alignment: 2)
        let rules = try placeCopy(of: UnsafeRawBufferPointer(view.rules.short), alignment: 1)
        let longRules = try placeCopy(of: UnsafeRawBufferPointer(view.rules.long), alignment: 1)
        let operations = try placeCopy(of: UnsafeRawBufferPointer(view.operations), alignment: 2)
        var record = 0
        for (range, placed) in zip(view.ranges, heads) {
            let directory = try placeWords(Int(range.page_count), alignment: 1)
            writeDirectory(range, at: directory, &record)
            let head = memory.head(placed.place)
            head.pointee.directory = directory
            head.pointee.templates = templates
            head.pointee.symbols =
                UInt32(view.header.fields.first_template) | UInt32(view.templates.count) << 16
            head.pointee.rules = rules
            head.pointee.long_rules = longRules
            head.pointee.operations = operations
            head.pointee.operation_count = UInt32(view.operations.count)
            head.pointee.number = numbers.next()
        }
    }

    private mutating func placeWords(_ count: Int, alignment: Int) throws(KernelError) -> UInt32 {
        guard count > 0 else { return 0 }
        let span =
            count <= memory.allocator.elementWords
            ? try memory.allocate(words: count, alignment: alignment) : try memory.allocateElements(words: count)
        spans.append(span)
        return span.place
    }

    private mutating func placeCopy(
        of bytes: UnsafeRawBufferPointer, alignment: Int
    ) throws(KernelError) -> UInt32 {
        let place = try placeWords(bytes.count / 4, alignment: alignment)
        if let source = bytes.baseAddress, bytes.count > 0 {
            memory.pointer(place).copyMemory(from: source, byteCount: bytes.count)
        }
        return place
    }

    /// - Parameter record: index in `places` of the next record; records are in the order of directory entries.
    private func writeDirectory(_ range: cfic_range, at place: UInt32, _ record: inout Int) {
        let to = memory.pointer(place).assumingMemoryBound(to: UInt32.self)
        for page in 0..<Int(range.page_count) {
            let entry = view.directory[Int(range.directory_index) + page]
            let kind = entry & UInt32(1 << CFIC_PAGE_KIND_BITS - 1)
            if kind == CFIC_PAGE_UNIFORM.rawValue {
                to[page] = entry
            } else {
                to[page] = places[record] << UInt32(CFIC_PAGE_KIND_BITS) | kind
                record += kind == CFIC_PAGE_QUARTERS.rawValue ? 5 : 1
            }
        }
    }
}
