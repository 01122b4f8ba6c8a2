import CUnwindTable

/// A mapping in the BPF programs' form (`struct cfic_mapping`): belongs to one range of a table, or to none.
struct PlacedMapping: Equatable {
    /// AVMAs: the first byte, and after the last one.
    var start: UInt64
    var end: UInt64
    /// AVMA − SVMA
    var bias: UInt64
    /// Place of the `struct cfic_loaded_range`; 0 if there is no table.
    var range: UInt32
    /// Whether the table is still being made; the range then only counts how much it is needed.
    var isPending = false
}

extension PlacedMapping {
    /// Reduces mappings to the number that a process can have. Joins neighbours without a table; if that isn't enough,
    /// leaves out mappings without a table before those with one, and small ones before large ones.
    ///
    /// - Parameter mappings: in ascending order of addresses.
    /// - Returns: mappings in ascending order of addresses, and the number of those left out.
    static func fitting(_ mappings: [Self], limit: Int) -> (kept: [Self], leftOut: Int) {
        if mappings.count <= limit { return (mappings, 0) }
        var joined: [Self] = []
        for mapping in mappings {
            if mapping.range == 0, let last = joined.last, last.range == 0, last.end == mapping.start,
                last.isPending == mapping.isPending
            {
                joined[joined.count - 1].end = mapping.end
            } else {
                joined.append(mapping)
            }
        }
        if joined.count <= limit { return (joined, 0) }
        let byUse = joined.indices.sorted { first, second in
            let (one, other) = (joined[first], joined[second])
            if (one.range == 0) != (other.range == 0) { return one.range != 0 }
            return (other.end &- other.start, first) < (one.end &- one.start, second)
        }
        return (byUse.prefix(limit).sorted().map { joined[$0] }, joined.count - limit)
    }
}

/// A process in kernel memory: `struct cfic_process` and its mappings.
struct PlacedProcess {
    var place: UInt32
    /// The number that samples unwound with these mappings have: `cfic_sample.mappings`.
    var number: UInt32
    var span: Span

    /// The largest number of mappings that a process can have.
    static let mappingLimit = Int(CFIC_PROCESS_MAPPINGS)

    /// - Parameter mappings: in ascending order of addresses, without overlaps, at most `mappingLimit`.
    init(_ mappings: [PlacedMapping], number: UInt32, in memory: ElementMemory) throws(KernelError) {
        self.number = number
        span = try memory.allocate(words: Self.bytes(mappings.count) / 4, alignment: 2)
        place = span.place
        let pointer = memory.pointer(place)
        pointer.storeBytes(of: cfic_process(count: UInt32(mappings.count), number: number), as: cfic_process.self)
        let starts = pointer + MemoryLayout<cfic_process>.size
        let rest = starts + 8 * mappings.count
        for (index, mapping) in mappings.enumerated() {
            starts.storeBytes(of: mapping.start, toByteOffset: index * 8, as: UInt64.self)
            rest.storeBytes(
                of: cfic_mapping(
                    end: mapping.end, bias: mapping.bias, range: mapping.range, pending: mapping.isPending ? 1 : 0),
                toByteOffset: index * MemoryLayout<cfic_mapping>.stride, as: cfic_mapping.self)
        }
    }

    /// CFIC_PROCESS_SIZE
    static func bytes(_ count: Int) -> Int {
        MemoryLayout<cfic_process>.size + count * (8 + MemoryLayout<cfic_mapping>.size)
    }
}
