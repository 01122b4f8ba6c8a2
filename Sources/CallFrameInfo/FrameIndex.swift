/// An FDE, or the part of one, that answers for [`start`, `limit`).
public struct FrameSpan: BitwiseCopyable, Sendable {
    /// SVMA of the first byte.
    public var start: UInt64
    /// SVMA behind the last byte.
    public var limit: UInt64
    /// Offset of the FDE in its section.
    public var offset: UInt32
    @usableFromInline var cieAndFlags: UInt32

    @inlinable
    init(start: UInt64, limit: UInt64, offset: UInt32, cie: Int) {
        self.start = start
        self.limit = limit
        self.offset = offset
        cieAndFlags = UInt32(truncatingIfNeeded: cie)
    }

    /// Index into `FrameIndex.cies`. A section below 4 GiB has fewer than 2^30 CIEs.
    @inlinable public var cie: Int { Int(cieAndFlags & 0x3fff_ffff) }
    /// Whether this is less than the FDE's whole range, because an earlier FDE or the end of a segment
    /// took the rest.
    @inlinable public var isPart: Bool {
        get { cieAndFlags & 1 << 31 != 0 }
        set { cieAndFlags = cieAndFlags & ~(1 << 31) | (newValue ? 1 << 31 : 0) }
    }
    /// Whether an earlier span already stands for another part of the same FDE.
    @inlinable public var isContinuation: Bool {
        get { cieAndFlags & 1 << 30 != 0 }
        set { cieAndFlags = cieAndFlags & ~(1 << 30) | (newValue ? 1 << 30 : 0) }
    }
}

/// The FDEs of an image's call frame sections, by rising address and without overlaps.
///
/// Policy for overlaps: the FDE that comes first wins, sections in the order given (.eh_frame before
/// .debug_frame), entries in file order.
public struct FrameIndex: ~Copyable {
    /// A CIE that FDEs refer to.
    public struct IndexedCIE: Sendable {
        /// Index into the sections.
        public var section: Int
        public var entry: CommonInformationEntry
        /// Whether its FDEs can be of the form that `scanPlain` reads.
        var isPlain: Bool

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
    /// Disjoint, by rising address.
    public internal(set) var spans = GrowableBuffer<FrameSpan>()
    /// FDEs with a range, before overlaps were resolved.
    public internal(set) var fdeCount = 0
    /// FDEs that lost bytes to an earlier one.
    public internal(set) var overlappingCount = 0
    /// FDEs without bytes: empty, at address 0, or outside `ranges`.
    public internal(set) var droppedCount = 0
    /// FDEs that could not be read, so that their range is unknown.
    public internal(set) var malformedCount = 0
    /// The first of the malformed entries; the rest is only counted.
    public internal(set) var malformed: [MalformedEntry] = []

    static let malformedKept = 64

    var scratch = FrameSortScratch()
    var cieNumbers: [CIEKey: Int32] = [:]
    /// Bytes of the section's CIEs read so far.
    private var cieBytes = 0

    struct CIEKey: Hashable {
        var section: Int
        var offset: Int
    }

    public init() {}

    /// Reads all entries of `sections` anew.
    ///
    /// - Parameter ranges: SVMA ranges to which FDEs are clipped, sorted and disjoint; nil keeps all, even at
    ///   address 0, as a listing of a relocatable file wants.
    /// - Throws: `sectionTooLarge`. Anything else that is wrong costs the entries concerned.
    public mutating func read(_ sections: [FrameSection], clippedTo ranges: [Range<UInt64>]?) throws(CFIError) {
        reset()
        var isSorted = true
        for number in sections.indices {
            guard UInt64(sections[number].bytes.count) < 1 << 32 else { throw .sectionTooLarge }
            let sectionIsSorted = scan(sections[number], number: number, keepsZero: ranges == nil)
            isSorted = isSorted && sectionIsSorted && (number == 0 || spans.isEmpty)
        }
        fdeCount = spans.count
        if !isSorted { sortSpans() }
        if hasOverlaps() { resolveOverlaps() }
        if let ranges { clip(to: ranges) }
    }

    private mutating func reset() {
        cies.removeAll(keepingCapacity: true)
        cieNumbers.removeAll(keepingCapacity: true)
        malformed.removeAll(keepingCapacity: true)
        spans.removeAll()
        overlappingCount = 0
        droppedCount = 0
        malformedCount = 0
    }

    /// Appends the section's FDEs in file order; says whether they came by rising address.
    private mutating func scan(_ section: FrameSection, number: Int, keepsZero: Bool) -> Bool {
        var position = 0
        cieBytes = 0
        var isSorted = true
        var last: UInt64 = spans.isEmpty ? 0 : .max
        var currentCIE = -1
        var currentOffset = Int.min
        let end = section.bytes.count
        while position < end {
            if currentCIE >= 0, cies[currentCIE].isPlain,
                let next = scanPlain(section, position, cie: currentCIE, at: currentOffset, &last, &isSorted) {
                position = next
                continue
            }
            let header: EntryHeader
            do throws(CFIError) {
                header = try section.entryHeader(at: position)
            } catch {
                noteMalformed(section: number, offset: position, error)
                break  // where the next entry starts is unknowable
            }
            position = header.end
            guard let cieOffset = header.cieOffset else {
                if header.isTerminator, section.endsAtTerminator { break }
                continue
            }
            do throws(CFIError) {
                if cieOffset != currentOffset {
                    currentCIE = try cieNumber(at: cieOffset, section, number)
                    currentOffset = cieOffset
                }
                let fde = try section.frameDescriptionEntry(header, cie: cies[currentCIE].entry)
                guard fde.length != 0, fde.start != 0 || keepsZero else {
                    droppedCount += 1
                    continue
                }
                if fde.start < last { isSorted = false }
                last = fde.start
                // The cast holds: the section is smaller than 4 GiB.
                spans.append(FrameSpan(
                    start: fde.start, limit: fde.limit, offset: UInt32(truncatingIfNeeded: header.offset),
                    cie: currentCIE))
            } catch {
                noteMalformed(section: number, offset: header.offset, error)
            }
        }
        return isSorted
    }

    /// Reads an FDE in the form that nearly all have: 32-bit length, the CIE of the FDE before, 4-byte relative
    /// addresses. Returns the offset behind it; nil leaves any other entry, and anything odd, to the general way.
    @inline(__always)
    private mutating func scanPlain(
        _ section: FrameSection, _ position: Int, cie: Int, at cieOffset: Int, _ last: inout UInt64,
        _ isSorted: inout Bool
    ) -> Int? {
        // Length, CIE pointer, start and range are 16 bytes, the length of augmentation data one more.
        guard section.bytes.count &- position >= 17, let base = section.bytes.baseAddress else { return nil }
        let length = Int(base.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        let next = position &+ 4 &+ length
        guard length >= 13, length < 0xffff_fff0, next <= section.bytes.count else { return nil }
        let distance = Int(base.loadUnaligned(fromByteOffset: position &+ 4, as: UInt32.self))
        guard position &+ 4 &- distance == cieOffset, distance != 0 else { return nil }
        if cies[cie].entry.hasAugmentationData {
            let count = Int(base.loadUnaligned(fromByteOffset: position &+ 16, as: UInt8.self))
            guard count < 0x80, 13 &+ count <= length else { return nil }
        }
        let relative = Int64(base.loadUnaligned(fromByteOffset: position &+ 8, as: Int32.self))
        let range = Int64(base.loadUnaligned(fromByteOffset: position &+ 12, as: Int32.self))
        let start = section.address &+ UInt64(bitPattern: Int64(position &+ 8) &+ relative)
        let (limit, overflow) = start.addingReportingOverflow(UInt64(bitPattern: range))
        guard range > 0, start != 0, !overflow else { return nil }
        if start < last { isSorted = false }
        last = start
        spans.append(FrameSpan(start: start, limit: limit, offset: UInt32(truncatingIfNeeded: position), cie: cie))
        return next
    }

    private mutating func noteMalformed(section: Int, offset: Int, _ error: CFIError) {
        malformedCount += 1
        if malformed.count < Self.malformedKept {
            malformed.append(MalformedEntry(section: section, offset: offset, error: error))
        }
    }

    private mutating func cieNumber(at offset: Int, _ section: FrameSection, _ number: Int) throws(CFIError) -> Int {
        let key = CIEKey(section: number, offset: offset)
        if let known = cieNumbers[key] {
            guard known >= 0 else { throw cieError(code: known) }
            return Int(known)
        }
        do throws(CFIError) {
            try charge(offset, section)
            let entry = try section.commonInformationEntry(at: offset)
            let isPlain = section.kind == .ehFrame && !section.isBigEndian && section.addressSize == 8
                && entry.pointerEncoding.rawValue == PointerEncoding.pcRelative4
            cies.append(IndexedCIE(section: number, entry: entry, isPlain: isPlain))
            cieNumbers[key] = Int32(cies.count - 1)
            return cies.count - 1
        } catch {
            // Remembered as well: a million FDEs may point to one bad CIE.
            cieNumbers[key] = -1 - Int32(error.rawValue)
            throw error
        }
    }

    /// Each CIE is read and run once, which is linear as long as they don't overlap. FDEs of a hostile file
    /// can point to any byte as to a CIE. Real files have fewer than 100.
    private mutating func charge(_ offset: Int, _ section: FrameSection) throws(CFIError) {
        guard offset >= 0, offset < section.bytes.count else { throw .ciePointerOutOfBounds }
        cieBytes += try section.entryHeader(at: offset).end - offset
        guard cieBytes <= 16 * section.bytes.count, cies.count < 65_536 else { throw .tooManyCIEs }
    }

    private func cieError(code: Int32) -> CFIError {
        CFIError(rawValue: UInt8(truncatingIfNeeded: -1 - code)) ?? .notACIE
    }
}
