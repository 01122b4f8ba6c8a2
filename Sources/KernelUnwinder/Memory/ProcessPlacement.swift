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
    /// Whether the table is still being made; only if `range` is 0.
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

/// A process in kernel memory: `struct cfic_process` and its groups of mappings.
struct PlacedProcess {
    var place: UInt32
    /// The number that samples unwound with these mappings have: `cfic_sample.mappings`.
    var number: UInt32
    var spans: [Span]

    /// The largest number of mappings that a process can have.
    static let mappingLimit = Int(CFIC_PROCESS_GROUPS) * Int(CFIC_GROUP_MAPPINGS)

    /// - Parameter mappings: in ascending order of addresses, without overlaps, at most `mappingLimit`.
    init(_ mappings: [PlacedMapping], number: UInt32, in memory: ElementMemory) throws(KernelError) {
        self.number = number
        var process = cfic_process()
        process.number = number
        var spans: [Span] = []
        do throws(KernelError) {
            var starts = [UInt64](repeating: 0, count: Int(CFIC_PROCESS_GROUPS))
            var groups = [UInt32](repeating: 0, count: Int(CFIC_PROCESS_GROUPS))
            for first in stride(from: 0, to: mappings.count, by: Int(CFIC_GROUP_MAPPINGS)) {
                let group = mappings[first..<min(first + Int(CFIC_GROUP_MAPPINGS), mappings.count)]
                let span = try memory.allocate(words: Self.groupWords(group.count), alignment: 2)
                spans.append(span)
                Self.write(group, to: memory.pointer(span.place))
                starts[Int(process.group_count)] = mappings[first].start
                groups[Int(process.group_count)] = span.place
                process.group_count += 1
            }
            withUnsafeMutableBytes(of: &process.start) { to in starts.withUnsafeBytes { to.copyMemory(from: $0) } }
            withUnsafeMutableBytes(of: &process.group) { to in groups.withUnsafeBytes { to.copyMemory(from: $0) } }
            let span = try memory.allocate(words: MemoryLayout<cfic_process>.size / 4, alignment: 2)
            spans.append(span)
            memory.pointer(span.place).storeBytes(of: process, as: cfic_process.self)
            place = span.place
            self.spans = spans
        } catch {
            for span in spans { memory.free(span) }
            throw error
        }
    }

    /// CFIC_GROUP_SIZE
    private static func groupWords(_ count: Int) -> Int {
        (Int(CFIC_GROUP_HEAD) + count * (8 + MemoryLayout<cfic_mapping>.size)) / 4
    }

    private static func write(_ group: ArraySlice<PlacedMapping>, to pointer: UnsafeMutableRawPointer) {
        pointer.storeBytes(of: UInt32(group.count), as: UInt32.self)
        let starts = pointer + Int(CFIC_GROUP_HEAD)
        let mappings = starts + 8 * group.count
        for (index, mapping) in group.enumerated() {
            starts.storeBytes(of: mapping.start, toByteOffset: index * 8, as: UInt64.self)
            mappings.storeBytes(
                of: cfic_mapping(
                    end: mapping.end, bias: mapping.bias, range: mapping.range, pending: mapping.isPending ? 1 : 0),
                toByteOffset: index * MemoryLayout<cfic_mapping>.stride, as: cfic_mapping.self)
        }
    }
}
