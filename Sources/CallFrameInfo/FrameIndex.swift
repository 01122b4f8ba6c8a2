/// The FDEs of an image's call frame sections, by rising address and without overlaps.
///
/// Policy for overlaps: the FDE that comes first wins, sections in the order given (.eh_frame before
/// .debug_frame), entries in file order.
///
/// Nearly every image has one section of FDEs in one usual form. Those are kept as sorted 8-byte keys, and what
/// else a span says is read where the FDE stands; anything else makes the index `expand` to a list of spans.
public struct FrameIndex: ~Copyable {
    /// A CIE that FDEs refer to.
    public struct IndexedCIE: Sendable {
        /// Index into the sections.
        public var section: Int
        public var entry: CommonInformationEntry
        /// Whether its FDEs can be of the usual form: little-endian, with 4-byte relative addresses.
        public var isPlain: Bool

        init(section: Int, entry: CommonInformationEntry, isPlain: Bool) {
            self.section = section
            self.entry = entry
            self.isPlain = isPlain
        }
    }

    /// An entry that could not be read at all.
    public struct MalformedEntry: Sendable {
        public var section: Int
        /// Offset in the section.
        public var offset: Int
        public var error: CFIError

        public init(section: Int, offset: Int, error: CFIError) {
            self.section = section
            self.offset = offset
            self.error = error
        }
    }

    public internal(set) var cies: [IndexedCIE] = []
    /// By rising address, and disjoint; empty while the index is compact.
    @usableFromInline var spans = GrowableBuffer<FrameSpan>()
    /// (start - `origin`) << 32 | offset in the section, by rising address; empty unless the index is compact.
    @usableFromInline var keys = GrowableBuffer<UInt64>()
    /// Index of the first key of each stretch, 0 being the first's: FDEs of rising addresses that lie close together.
    var stretches = GrowableBuffer<UInt32>()
    /// Whether FDEs are kept as keys. They may overlap until `settle`.
    @usableFromInline var isCompact = false
    /// Lowest address that a key can hold.
    @usableFromInline var origin: UInt64 = 0
    /// First byte of the section that the keys are of.
    @usableFromInline var compactBase = FrameSection.nothing
    /// Bytes that the keys' FDEs cover.
    var compactBytes: UInt64 = 0
    /// Offset << 32 | index + 1 of CIEs by a hash of the offset; 0 is empty. Not all need to be in here.
    @usableFromInline var quickCIEs = GrowableBuffer<UInt64>()
    /// FDEs with a range, before overlaps were resolved.
    public internal(set) var fdeCount = 0
    /// FDEs that overlap an earlier one.
    public internal(set) var overlappingCount = 0
    /// FDEs without bytes: empty, at address 0, or outside `ranges`.
    public internal(set) var droppedCount = 0
    /// FDEs that could not be read, so that their range is unknown.
    public internal(set) var malformedCount = 0
    /// The first of the malformed entries; the rest is only counted.
    public internal(set) var malformed: [MalformedEntry] = []

    static let malformedKept = 64

    var scratch = FrameSortScratch()
    @usableFromInline var cieNumbers: [CIEKey: Int32] = [:]
    /// Bytes of the section's CIEs read so far.
    var cieBytes = 0

    @usableFromInline
    struct CIEKey: Hashable {
        @usableFromInline var section: Int
        @usableFromInline var offset: Int

        @usableFromInline
        init(section: Int, offset: Int) {
            self.section = section
            self.offset = offset
        }
    }

    public init() {}

    /// Reads all entries of `sections` anew.
    ///
    /// - Parameters:
    ///   - ranges: SVMA ranges to which FDEs are clipped, sorted and disjoint; nil keeps all, even at address 0, as
    ///     a listing of a relocatable file wants.
    ///   - settles: false leaves it to the caller to look for overlaps, and to call `settle` if there are any.
    /// - Throws: `sectionTooLarge`. Anything else that is wrong costs the entries concerned.
    public mutating func read(
        _ sections: [FrameSection], clippedTo ranges: [Range<UInt64>]?, settles: Bool = true
    ) throws(CFIError) {
        reset(sections, ranges)
        var isSorted = true
        for number in sections.indices {
            guard UInt64(sections[number].bytes.count) < 1 << 32 else { throw .sectionTooLarge }
            let sectionIsSorted = scan(sections[number], number: number, ranges: ranges)
            isSorted = isSorted && sectionIsSorted && (number == 0 || count == 0)
        }
        fdeCount = count
        if !isSorted { sort() }
        if isCompact {
            if settles, hasOverlaps() { settle() }
            return
        }
        if hasOverlaps() { resolveOverlaps() }
        if let ranges { clip(to: ranges) }
    }

    /// Resolves overlaps. The spans are a list of their own from here on, whatever becomes of the section's bytes.
    public mutating func settle() {
        expand()
        if hasOverlaps() { resolveOverlaps() }
    }

    private mutating func reset(_ sections: [FrameSection], _ ranges: [Range<UInt64>]?) {
        cies.removeAll(keepingCapacity: true)
        cieNumbers.removeAll(keepingCapacity: true)
        quickCIEs.reserveCapacity(Self.quickCount)
        quickCIEs.setCount(Self.quickCount)
        quickCIEs.elements.update(repeating: 0)
        malformed.removeAll(keepingCapacity: true)
        spans.removeAll()
        keys.removeAll()
        stretches.removeAll()
        overlappingCount = 0
        droppedCount = 0
        malformedCount = 0
        compactBytes = 0
        isCompact = false
        // Keys hold 32 bits of address, and know no other section.
        guard sections.count == 1, let first = ranges?.first, let last = ranges?.last,
            (last.upperBound &- first.lowerBound) >> 32 == 0
        else { return }
        isCompact = true
        stretches.append(0)
        origin = first.lowerBound
        compactBase = sections[0].base
    }

    // MARK: Spans

    /// How many spans there are.
    @inlinable public var count: Int { isCompact ? keys.count : spans.count }

    /// SVMA of the first byte of a span.
    @inlinable @inline(__always)
    public func start(at position: Int) -> UInt64 {
        isCompact ? origin &+ keys.elements[position] &>> 32 : spans.elements[position].start
    }

    /// The span at a position below `count`, by rising address.
    @inlinable @inline(__always)
    public func span(at position: Int) -> FrameSpan {
        guard isCompact else { return spans.elements[position] }
        let key = keys.elements[position]
        // The scan has seen these 16 bytes of the entry in the section.
        let offset = Int(key & 0xffff_ffff)
        let start = origin &+ key &>> 32
        let distance = Int(compactBase.loadUnaligned(fromByteOffset: offset &+ 4, as: UInt32.self))
        let range = compactBase.loadUnaligned(fromByteOffset: offset &+ 12, as: UInt32.self)
        // The scan has seen that this doesn't overflow; but a mapped file may be written to meanwhile.
        let (limit, overflow) = start.addingReportingOverflow(UInt64(range))
        return FrameSpan(
            start: start, limit: overflow ? .max : limit, offset: UInt32(truncatingIfNeeded: offset),
            cie: knownCIE(at: offset &+ 4 &- distance))
    }

    /// How many bytes the spans cover.
    public var coveredBytes: UInt64 {
        isCompact ? compactBytes : spans.elements.reduce(0) { $0 &+ ($1.limit &- $1.start) }
    }

    /// Turns keys into spans.
    mutating func expand() {
        guard isCompact else { return }
        spans.reserveCapacity(keys.count)
        for position in 0..<keys.count { spans.append(span(at: position)) }
        keys.removeAll()
        isCompact = false
    }

    // MARK: CIEs

    static var quickCount: Int { 256 }

    /// An index below `quickCount`: the hash keeps only its top eight bits.
    @inlinable @inline(__always)
    static func quickPlace(_ offset: Int) -> Int {
        Int((UInt64(truncatingIfNeeded: offset) &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }

    /// Index of a CIE that was found sound before.
    @inlinable @inline(__always)
    func knownCIE(at offset: Int) -> Int {
        let quick = quickCIEs.elements[Self.quickPlace(offset)]
        if quick &>> 32 == UInt64(truncatingIfNeeded: offset), quick & 0xffff_ffff != 0 {
            return Int(quick & 0xffff_ffff) &- 1
        }
        return rareCIE(at: offset)
    }

    @usableFromInline @inline(never)
    func rareCIE(at offset: Int) -> Int {
        // Only a file that changes while it is read can make it be not there.
        Int(max(cieNumbers[CIEKey(section: 0, offset: offset)] ?? 0, 0))
    }
}
