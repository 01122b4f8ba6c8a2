/// The FDEs of an image's call frame sections, in ascending address order and without overlaps.
///
/// If FDEs overlap, the first one wins: sections in the order given (.eh_frame before .debug_frame), then entries in
/// file order.
///
/// In nearly every image, one section contains all FDEs, in one form. These are kept as sorted 8-byte keys; the other
/// fields of a span are read from the FDE on demand. Any other input makes the index `expand` to a list of spans.
public struct FrameIndex: ~Copyable {
    /// A CIE that FDEs refer to.
    public struct IndexedCIE: Sendable {
        /// Index into the sections.
        public var section: Int
        public var entry: CommonInformationEntry
        /// Whether its FDEs can have the usual form: little-endian, with 4-byte relative addresses.
        public var isPlain: Bool

        init(section: Int, entry: CommonInformationEntry, isPlain: Bool) {
            self.section = section
            self.entry = entry
            self.isPlain = isPlain
        }
    }

    /// An entry that couldn't be read.
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
    /// In ascending address order and disjoint; empty while the index is compact.
    @usableFromInline var spans = GrowableBuffer<FrameSpan>()
    /// (start - `origin`) << 32 | offset in the section, ascending; empty unless the index is compact.
    @usableFromInline var keys = GrowableBuffer<UInt64>()
    /// Index of the first key of each stretch, beginning with 0. A stretch is a run of FDEs whose addresses ascend and
    /// are close together.
    var stretches = GrowableBuffer<UInt32>()
    /// Whether FDEs are kept as keys. They may overlap until `settle`.
    @usableFromInline var isCompact = false
    /// The lowest address that a key can hold.
    @usableFromInline var origin: UInt64 = 0
    /// The first byte of the section that the keys refer to.
    @usableFromInline var compactBase = FrameSection.nothing
    /// Bytes that the keys' FDEs cover.
    var compactBytes: UInt64 = 0
    /// A cache of CIEs, hashed by offset: offset << 32 | index + 1, or 0 for an empty slot. May lack CIEs that
    /// `cieNumbers` has.
    @usableFromInline var quickCIEs = GrowableBuffer<UInt64>()
    /// Number of FDEs with a range, before overlaps were resolved.
    public internal(set) var fdeCount = 0
    /// Number of FDEs that overlap an earlier one.
    public internal(set) var overlappingCount = 0
    /// Number of FDEs that cover nothing: empty, at address 0, or outside `ranges`.
    public internal(set) var droppedCount = 0
    /// Number of FDEs that couldn't be read, whose ranges are therefore unknown.
    public internal(set) var malformedCount = 0
    /// The first `malformedKept` malformed entries; further ones are only counted.
    public internal(set) var malformed: [MalformedEntry] = []

    static let malformedKept = 64

    var scratch = FrameSortScratch()
    @usableFromInline var cieNumbers: [CIEKey: Int32] = [:]
    /// Size of the section's CIEs read so far, in bytes.
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

    /// Reads all entries of `sections`, in place of the previous ones.
    ///
    /// - Parameters:
    ///   - ranges: SVMA ranges to which FDEs are clipped, sorted and disjoint. Nil keeps all FDEs, even at address 0,
    ///     as a listing of a relocatable file needs.
    ///   - settles: if false, the caller must look for overlaps and call `settle` if there are any.
    /// - Throws: `sectionTooLarge`. Any other error costs only the entries concerned.
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

    /// Resolves overlaps. Afterwards the spans are a list that no longer depends on the section's bytes.
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
        // Keys have 32 bits for the address and none for the section.
        guard sections.count == 1, let first = ranges?.first, let last = ranges?.last,
            (last.upperBound &- first.lowerBound) >> 32 == 0
        else { return }
        isCompact = true
        stretches.append(0)
        origin = first.lowerBound
        compactBase = sections[0].base
    }

    // MARK: Spans

    /// The number of spans.
    @inlinable public var count: Int { isCompact ? keys.count : spans.count }

    /// SVMA of the first byte of a span.
    @inlinable @inline(__always)
    public func start(at position: Int) -> UInt64 {
        isCompact ? origin &+ keys.elements[position] &>> 32 : spans.elements[position].start
    }

    /// The span at an index below `count`, in ascending address order.
    @inlinable @inline(__always)
    public func span(at position: Int) -> FrameSpan {
        guard isCompact else { return spans.elements[position] }
        let key = keys.elements[position]
        // The scan checked that these 16 bytes of the entry are within the section.
        let offset = Int(key & 0xffff_ffff)
        let start = origin &+ key &>> 32
        let distance = Int(compactBase.loadUnaligned(fromByteOffset: offset &+ 4, as: UInt32.self))
        let range = compactBase.loadUnaligned(fromByteOffset: offset &+ 12, as: UInt32.self)
        // The scan checked that this doesn't overflow, but a mapped file may have been modified since.
        let (limit, overflow) = start.addingReportingOverflow(UInt64(range))
        return FrameSpan(
            start: start, limit: overflow ? .max : limit, offset: UInt32(truncatingIfNeeded: offset),
            cie: knownCIE(at: offset &+ 4 &- distance))
    }

    /// The number of bytes that the spans cover.
    public var coveredBytes: UInt64 {
        isCompact ? compactBytes : spans.elements.reduce(0) { $0 &+ ($1.limit &- $1.start) }
    }

    /// Replaces the keys with a list of spans.
    mutating func expand() {
        guard isCompact else { return }
        spans.reserveCapacity(keys.count)
        for position in 0..<keys.count { spans.append(span(at: position)) }
        keys.removeAll()
        isCompact = false
    }

    // MARK: CIEs

    static var quickCount: Int { 256 }

    /// A slot below `quickCount`: the top eight bits of the hash.
    @inlinable @inline(__always)
    static func quickPlace(_ offset: Int) -> Int {
        Int((UInt64(truncatingIfNeeded: offset) &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }

    /// The index of a CIE that was read successfully before.
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
        // It can be missing only if the file was modified while it was read.
        Int(max(cieNumbers[CIEKey(section: 0, offset: offset)] ?? 0, 0))
    }
}
