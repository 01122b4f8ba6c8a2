/// Where the row loop stands, and the instruction pair that most rows are made of: `advance_loc` and a
/// `def_cfa_offset` below 128, three bytes.
///
/// A sink may go through as many such pairs as it likes, taking a row at `location` before it passes over each.
public struct AdvanceRun {
    @usableFromInline let base: UnsafeRawPointer
    @usableFromInline var position: Int
    @usableFromInline let end: Int
    @usableFromInline let codeAlignment: UInt64
    @usableFromInline var currentLocation: UInt64
    /// The location that the next row has: it is complete when an instruction moves on from there.
    @inlinable public var location: UInt64 { currentLocation }
    /// Where the FDE ends.
    public let limit: UInt64

    @inlinable @inline(__always)
    init(
        base: UnsafeRawPointer, position: Int, end: Int, location: UInt64, limit: UInt64, codeAlignment: UInt64
    ) {
        self.base = base
        self.position = position
        self.end = end
        currentLocation = location
        self.limit = limit
        self.codeAlignment = codeAlignment
    }

    /// Whether all locations from here on are multiples of `unit`, a power of two, if this one is.
    @inlinable @inline(__always)
    public func keepsMultiples(of unit: UInt64) -> Bool { codeAlignment & (unit &- 1) == 0 }

    /// An advance by more than 0 and the CFA offset behind it.
    public struct Pair {
        @usableFromInline let word: UInt32

        @inlinable @inline(__always)
        init(word: UInt32) { self.word = word }

        @inlinable @inline(__always) var delta: UInt64 { UInt64(word & 0x3f) }
        @inlinable @inline(__always) public var offset: Int64 { Int64(word &>> 16 & 0x7f) }
    }

    /// The pair that is next; nil if something else is, or less than a byte more than a pair: four are loaded.
    @inlinable @inline(__always)
    public var next: Pair? {
        guard end &- position >= 4 else { return nil }
        let word = base.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian
        guard word & 0x80_ffc0 == 0x0e40, word & 0x3f != 0 else { return nil }
        return Pair(word: word)
    }

    /// Passes over the pair that is next.
    @inlinable @inline(__always)
    public mutating func pass(_ pair: Pair) {
        position &+= 3
        currentLocation = Self.advance(currentLocation, by: pair.delta, codeAlignment)
    }

    /// Adds a factored advance. An address that wraps around has left every FDE.
    @inlinable @inline(__always)
    static func advance(_ location: UInt64, by delta: UInt64, _ codeAlignment: UInt64) -> UInt64 {
        if codeAlignment == 1 {  // x86-64: keeps a multiplication out of the chain from row to row
            let (sum, wrapped) = location.addingReportingOverflow(delta)
            return wrapped ? .max : sum
        }
        let (factored, tooFar) = delta.multipliedReportingOverflow(by: codeAlignment)
        let (sum, wrapped) = location.addingReportingOverflow(factored)
        return tooFar || wrapped ? .max : sum
    }
}
