/// The stack depths of a function: how far the stack pointer is below where it was at the function's first instruction.
///
/// They are pairs of numbers: the change of the depth (zigzag), and the bytes for which the new depth holds, in units of the
/// quantum. A change of 0 ends them, except in the first pair. The first change is from -1.
struct StackDepths {
    /// A depth and the SVMAs for which it holds.
    struct Run: Equatable {
        var addresses: Range<UInt64>
        /// In bytes; 0 and up.
        var depth: Int
    }

    private let section: GoSectionBytes
    private let quantum: UInt64
    private var position: Int
    private var address: UInt64
    private let end: UInt64
    private var depth = -1
    private var isFirst = true

    /// The depths of a function; nil if it has none.
    init?(of function: GoFunctionTable.Function, in table: GoFunctionTable) {
        guard let position = function.depths else { return nil }
        section = table.section
        quantum = table.quantum
        self.position = position
        (address, end) = (function.addresses.lowerBound, function.addresses.upperBound)
    }

    /// Whether a depth was below 0, so that the function changes its caller's stack pointer. It ends the depths.
    private(set) var isNegative = false

    /// The next run; nil after the last one. Each run has at least one byte, so that there are no more of them than the
    /// function has bytes.
    mutating func next() throws(GoTableError) -> Run? {
        guard address < end, !isNegative else { return nil }
        let start = position
        let (change, afterChange) = try section.varint(position)
        if change == 0, !isFirst { return nil }
        isFirst = false
        let (distance, afterDistance) = try section.varint(afterChange)
        position = afterDistance
        depth += Int(change >> 1) ^ -Int(change & 1)
        guard depth <= Self.largest else {
            throw GoTableError(offset: start, problem: "stack depth is larger than a stack")
        }
        guard depth >= 0 else {
            isNegative = true
            return nil
        }
        guard distance > 0 else { throw GoTableError(offset: start, problem: "stack depth holds for no address") }
        let first = address
        // Below 2^32 units of at most 4 bytes.
        let (sum, overflow) = address.addingReportingOverflow(UInt64(distance) * quantum)
        address = overflow ? end : min(sum, end)
        return Run(addresses: first..<address, depth: depth)
    }

    /// `runtime.call1073741824` has a little more than 1 GiB.
    private static var largest: Int { Int(Int32.max) - 8 }
}
