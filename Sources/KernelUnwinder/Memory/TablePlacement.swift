import CUnwindTable
import UnwindTable

/// A table in the kernel's memory.
struct PlacedTable {
    /// A range of its pages (`struct cfic_loaded_range`) and where that stands.
    struct Range {
        /// SVMAs.
        var addresses: Swift.Range<UInt64>
        var place: UInt32
    }

    var ranges: [Range] = []
    var spans: [Span] = []
}

/// Numbers that are used once each. The programs remember rules by those of ranges, and samples have those of what
/// processes mapped.
struct Numbers {
    private var last: UInt32 = 0

    mutating func next() -> UInt32 {
        // A loader that lives for 4 billion of them would have to begin again.
        last += 1
        return last
    }
}

/// Copies a proved table into the kernel's memory: records, rules and programs as they are, a directory with the places
/// that they have there, and a `struct cfic_loaded_range` for each range, which nothing points to yet.
struct TablePlacement {
    private let view: TableView
    private let memory: ElementMemory
    private var placed = PlacedTable()
    /// Starts of records in the pages section, in words, rising; and where each was put.
    private var starts: [UInt32] = []
    private var places: [UInt32] = []

    /// - Parameter numbers: gives `cfic_loaded_range.number`.
    static func place(
        _ view: TableView, _ numbers: inout Numbers, in memory: ElementMemory
    ) throws(KernelError) -> PlacedTable {
        var placement = TablePlacement(view: view, memory: memory)
        do throws(KernelError) {
            try placement.placeRecords()
            try placement.placeRanges(&numbers)
        } catch {
            for span in placement.placed.spans { memory.free(span) }
            throw error
        }
        return placement.placed
    }

    private init(view: TableView, memory: ElementMemory) {
        self.view = view
        self.memory = memory
    }

    // MARK: Records

    /// Copies runs of records that fit what is left of an element.
    private mutating func placeRecords() throws(KernelError) {
        collectStarts()
        places = Array(repeating: 0, count: starts.count)
        guard let pages = view.pages.baseAddress else { return }
        var first = 0
        while first < starts.count {
            let rest = try memory.allocateRest(minimum: size(first))
            let end = Self.endOfRun(from: first, starts, words: rest.count, size: size)
            for record in first..<end { places[record] = rest.place + (starts[record] - starts[first]) }
            let count = Int(starts[end - 1] - starts[first]) + size(end - 1)
            memory.pointer(rest.place).copyMemory(from: pages + Int(starts[first]) * 4, byteCount: count * 4)
            placed.spans.append(Span(place: rest.place, count: count))
            memory.freeUnused(Span(place: rest.place + UInt32(count), count: rest.count - count))
            first = end
        }
        rewriteQuarters()
    }

    /// Records stand one behind the other in the file, so that a run is one piece; where it has a gap, a new run
    /// begins.
    ///
    /// - Parameters:
    ///   - starts: of all records, in words, rising.
    ///   - words: that the run may take; at least the size of its first record.
    /// - Returns: the record behind the run's last one.
    static func endOfRun(from first: Int, _ starts: [UInt32], words: Int, size: (Int) -> Int) -> Int {
        var end = first + 1
        while end < starts.count, Int(starts[end] - starts[first]) + size(end) <= words,
            Int(starts[end] - starts[end - 1]) == size(end - 1)
        { end += 1 }
        return end
    }

    /// Words of a record, or more: up to the next one, as far as a record can reach.
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

    /// A head of quarters says where they are.
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

    private mutating func placeRanges(_ numbers: inout Numbers) throws(KernelError) {
        let rules = try placeCopy(of: UnsafeRawBufferPointer(view.rules), alignment: 1)
        let operations = try placeCopy(of: UnsafeRawBufferPointer(view.operations), alignment: 2)
        var record = 0
        for range in view.ranges {
            let directory = try placeWords(Int(range.page_count), alignment: 1)
            writeDirectory(range, at: directory, &record)
            let place = try placeWords(MemoryLayout<cfic_loaded_range>.size / 4, alignment: 8)
            let shift = view.pageShift
            memory.pointer(place).storeBytes(
                of: cfic_loaded_range(
                    start: range.start_page << shift, page_count: range.page_count, directory: directory, rules: rules,
                    operations: operations, operation_count: UInt32(view.operations.count), number: numbers.next()),
                as: cfic_loaded_range.self)
            // Proved: no range reaches beyond 2^64; the last page's end may be just there.
            let end = (range.start_page + UInt64(range.page_count)).multipliedReportingOverflow(by: 1 << shift)
            placed.ranges.append(
                PlacedTable.Range(
                    addresses: range.start_page << shift..<(end.overflow ? .max : end.partialValue), place: place))
        }
    }

    private mutating func placeWords(_ count: Int, alignment: Int) throws(KernelError) -> UInt32 {
        guard count > 0 else { return 0 }
        let span =
            count <= memory.allocator.elementWords
            ? try memory.allocate(words: count, alignment: alignment) : try memory.allocateElements(words: count)
        placed.spans.append(span)
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

    /// `record` is the next record of `places`: they stand in the order of directory entries.
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
