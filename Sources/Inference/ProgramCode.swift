import CallFrameInfo
import Search

/// The bytes of a program, and where its functions are. Immutable: threads share it.
public struct ProgramCode: @unchecked Sendable {
    /// Bytes that are loaded at an address.
    public struct Piece {
        /// SVMA of the first byte.
        public var address: UInt64
        public var bytes: UnsafeRawBufferPointer

        /// The owner must keep `bytes` alive and unchanged.
        public init(address: UInt64, bytes: UnsafeRawBufferPointer) {
            self.address = address
            self.bytes = bytes
        }
    }

    /// In ascending address order, disjoint.
    public let pieces: [Piece]
    /// SVMAs of functions, in ascending address order, disjoint. A part of a function that lies elsewhere has an extent
    /// of its own.
    public let extents: [Range<UInt64>]
    /// Which extents begin with a function's entry: something calls it or points to it.
    public private(set) var isEntry: [Bool]
    /// Which extents no call frame information covers; empty if extents come from it. Functions there may continue at each
    /// other's entries, and behind a call at an extent's end.
    private(set) var isUncovered: [Bool] = []
    /// Numbers of those that covered functions jump to, as to parts of theirs.
    private(set) var isShared: Set<Int> = []
    /// SVMAs that instructions refer to, in ascending order.
    private var references: [UInt64] = []
    /// SVMAs of functions that are known not to return.
    public let nonReturning: Set<UInt64>
    /// Calls that may throw, in ascending address order, by extent; extents without are missing.
    public let callSites: [Int: [CallSite]]

    /// - Parameters:
    ///   - pieces: code and constant data.
    ///   - extents: disjoint; all of them count as entries until `findEntries` is called.
    ///   - nonReturning: SVMAs of functions that don't return, stubs of the procedure linkage table included.
    ///   - callSites: in ascending address order, by the number of the extent in ascending address order.
    public init(
        pieces: [Piece], extents: [Range<UInt64>], nonReturning: Set<UInt64> = [], callSites: [Int: [CallSite]] = [:]
    ) {
        self.pieces = pieces.filter { !$0.bytes.isEmpty }.sorted { $0.address < $1.address }
        self.extents = extents.sorted { $0.lowerBound < $1.lowerBound }
        isEntry = [Bool](repeating: true, count: extents.count)
        self.nonReturning = nonReturning
        self.callSites = callSites
    }

    /// Says which extents begin with no entry: they are parts of functions that jump to them.
    public mutating func setParts(_ extents: some Sequence<Int>) {
        for extent in self.extents.indices { isEntry[extent] = true }
        for extent in extents { isEntry[extent] = false }
    }

    /// Says which extents no call frame information covers, and which of them begin with no entry.
    ///
    /// - Parameter shared: numbers of extents that covered functions jump to.
    mutating func setUncovered(_ isUncovered: [Bool], parts: some Sequence<Int>, shared: Set<Int>) {
        self.isUncovered = isUncovered
        isShared = shared
        setParts(parts)
    }

    func isUncovered(_ extent: Int) -> Bool { !isUncovered.isEmpty && isUncovered[extent] }

    /// Sets what instructions refer to: a jump table ends there at the latest.
    mutating func setReferences(_ addresses: Set<UInt64>) { references = addresses.sorted() }

    /// The first address behind another that an instruction refers to.
    func nextReference(after address: UInt64) -> UInt64? {
        let index = references.partitioningIndex { $0 > address }
        return index < references.count ? references[index] : nil
    }

    /// The bytes from an address to the end of their piece, at least `count`; nil if there are fewer.
    func bytes(at address: UInt64, count: Int) -> UnsafeRawBufferPointer? {
        guard let index = pieces.lastIndex(atMost: address, by: \.address) else { return nil }
        let piece = pieces[index]
        let offset = address - piece.address
        guard offset < UInt64(piece.bytes.count), count <= piece.bytes.count - Int(offset) else { return nil }
        return UnsafeRawBufferPointer(rebasing: piece.bytes[Int(offset)...])
    }

    /// The number of the extent that has an address.
    func extent(at address: UInt64) -> Int? {
        guard let index = extents.lastIndex(atMost: address, by: \.lowerBound) else { return nil }
        return extents[index].contains(address) ? index : nil
    }
}
