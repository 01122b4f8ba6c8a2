extension FrameIndex {
    /// State of a section's scan, kept from one entry to the next.
    private struct Scan {
        let section: FrameSection
        let ranges: [Range<UInt64>]?
        /// Index and offset of the last FDE's CIE; initially none.
        var cie = -1
        var cieOffset = Int.min
        /// Copied from that CIE.
        var isPlain = false
        var hasAugmentationData = false
        /// Start of the last FDE, kept only while the index isn't compact.
        var last: UInt64
        /// End of the last FDE, kept only while the index is compact.
        var lastLimit: UInt64 = 0
        /// Whether the FDEs so far came in ascending address order.
        var isSorted = true
        /// The range that contained the last FDE.
        var range: Range<UInt64>
    }

    /// Adds the section's FDEs in file order. Returns whether their addresses ascend.
    mutating func scan(_ section: FrameSection, number: Int, ranges: [Range<UInt64>]?) -> Bool {
        var scan = Scan(
            section: section, ranges: ranges, last: count == 0 ? 0 : .max, range: ranges?.first ?? 0..<0)
        var position = 0
        cieBytes = 0
        while position < section.bytes.count {
            if let next = scanPlain(position, &scan) {
                position = next
                continue
            }
            let header: EntryHeader
            do throws(CFIError) {
                header = try section.entryHeader(at: position)
            } catch {
                noteMalformed(section: number, offset: position, error)
                break  // the start of the next entry can't be known
            }
            position = header.end
            guard let cieOffset = header.cieOffset else {
                if header.isTerminator {
                    if section.endsAtTerminator { break }
                    position = section.endOfZeros(from: position)
                }
                continue
            }
            do throws(CFIError) {
                if cieOffset != scan.cieOffset {
                    use(try cieNumber(at: cieOffset, section, number), at: cieOffset, &scan)
                    // Now that its CIE is known, the entry may turn out to have the usual form.
                    if scanPlain(header.offset, &scan) != nil { continue }
                }
                try scanGeneral(header, &scan)
            } catch {
                noteMalformed(section: number, offset: header.offset, error)
            }
        }
        return scan.isSorted
    }

    /// Adds an FDE of any form.
    private mutating func scanGeneral(_ header: EntryHeader, _ scan: inout Scan) throws(CFIError) {
        let fde = try scan.section.frameDescriptionEntry(header, cie: cies[scan.cie].entry)
        guard fde.length != 0, fde.start != 0 || scan.ranges == nil else {
            droppedCount += 1
            return
        }
        expand(&scan)
        if fde.start < scan.last { scan.isSorted = false }
        scan.last = fde.start
        // The cast doesn't truncate: the section is smaller than 4 GiB.
        spans.append(
            FrameSpan(
                start: fde.start, limit: fde.limit, offset: UInt32(truncatingIfNeeded: header.offset), cie: scan.cie))
    }

    /// Reads an FDE in the form that nearly all have: 32-bit length, 4-byte relative addresses, a CIE read before.
    /// Returns the offset of its end; nil for any other entry, which the general path then reads.
    @inline(__always)
    private mutating func scanPlain(_ position: Int, _ scan: inout Scan) -> Int? {
        // Length, CIE pointer, start and range take 16 bytes; the length of the augmentation data takes one more.
        let bytes = scan.section.bytes
        guard bytes.count &- position >= 17, scan.cie >= 0, let base = bytes.baseAddress else { return nil }
        let length = Int(base.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        let next = position &+ 4 &+ length
        guard length >= 13, length < 0xffff_fff0, next <= bytes.count else { return nil }
        let distance = Int(base.loadUnaligned(fromByteOffset: position &+ 4, as: UInt32.self))
        guard distance != 0 else { return nil }
        let cieOffset = position &+ 4 &- distance
        if cieOffset != scan.cieOffset {
            let quick = quickCIEs.elements[Self.quickPlace(cieOffset)]
            guard quick &>> 32 == UInt64(truncatingIfNeeded: cieOffset), quick & 0xffff_ffff != 0,
                cies[Int(quick & 0xffff_ffff) &- 1].section == cies[scan.cie].section
            else { return nil }
            use(Int(quick & 0xffff_ffff) &- 1, at: cieOffset, &scan)
        }
        guard scan.isPlain else { return nil }
        if scan.hasAugmentationData {
            let count = Int(base.loadUnaligned(fromByteOffset: position &+ 16, as: UInt8.self))
            guard count < 0x80, 13 &+ count <= length else { return nil }
        }
        let relative = Int64(base.loadUnaligned(fromByteOffset: position &+ 8, as: Int32.self))
        let range = Int64(base.loadUnaligned(fromByteOffset: position &+ 12, as: Int32.self))
        let start = scan.section.address &+ UInt64(bitPattern: Int64(position &+ 8) &+ relative)
        let (limit, overflow) = start.addingReportingOverflow(UInt64(bitPattern: range))
        guard range > 0, start != 0, !overflow else { return nil }
        if isCompact, !isInside(start, limit, &scan) { expand(&scan) }
        // The casts don't truncate: the section is smaller than 4 GiB.
        if isCompact {
            if start &- scan.lastLimit >= Self.stretchGap { beginStretch(start, &scan) }
            scan.lastLimit = limit
            compactBytes &+= UInt64(bitPattern: range)
            keys.append((start &- origin) &<< 32 | UInt64(position))
        } else {
            if start < scan.last { scan.isSorted = false }
            scan.last = start
            spans.append(
                FrameSpan(
                    start: start, limit: limit, offset: UInt32(truncatingIfNeeded: position), cie: scan.cie))
        }
        return next
    }

    /// The gaps between the FDEs of a stretch are smaller than this many bytes, so that no function of another stretch
    /// is in between.
    private static var stretchGap: UInt64 { 16 }

    @inline(never)
    private mutating func beginStretch(_ start: UInt64, _ scan: inout Scan) {
        if keys.isEmpty { return }
        if start < lastStart { scan.isSorted = false }
        // The cast doesn't truncate: there are fewer FDEs than bytes in the section.
        stretches.append(UInt32(truncatingIfNeeded: keys.count))
    }

    /// Start address of the last key; 0 if there is none.
    private var lastStart: UInt64 { keys.isEmpty ? 0 : start(at: keys.count - 1) }

    @inline(never)
    private mutating func expand(_ scan: inout Scan) {
        guard isCompact else { return }
        scan.last = lastStart
        expand()
    }

    private func use(_ cie: Int, at offset: Int, _ scan: inout Scan) {
        scan.cie = cie
        scan.cieOffset = offset
        scan.isPlain = cies[cie].isPlain
        scan.hasAugmentationData = cies[cie].entry.hasAugmentationData
    }

    /// Whether one of the ranges contains all of these bytes.
    @inline(__always)
    private func isInside(_ start: UInt64, _ limit: UInt64, _ scan: inout Scan) -> Bool {
        if start >= scan.range.lowerBound, limit <= scan.range.upperBound { return true }
        return findRange(start, limit, &scan)
    }

    @inline(never)
    private func findRange(_ start: UInt64, _ limit: UInt64, _ scan: inout Scan) -> Bool {
        guard let range = scan.ranges?.first(where: { $0.lowerBound <= start && limit <= $0.upperBound }) else {
            return false
        }
        scan.range = range
        return true
    }

    private mutating func noteMalformed(section: Int, offset: Int, _ error: CFIError) {
        malformedCount += 1
        if malformed.count < Self.malformedKept {
            malformed.append(MalformedEntry(section: section, offset: offset, error: error))
        }
    }

    // MARK: CIEs

    private mutating func cieNumber(at offset: Int, _ section: FrameSection, _ number: Int) throws(CFIError) -> Int {
        let key = CIEKey(section: number, offset: offset)
        if let known = cieNumbers[key] {
            guard known >= 0 else { throw cieError(code: known) }
            return Int(known)
        }
        do throws(CFIError) {
            try charge(offset, section)
            let entry = try section.commonInformationEntry(at: offset)
            let isPlain =
                section.kind == .ehFrame && !section.isBigEndian && section.addressSize == 8
                && entry.pointerEncoding.rawValue == PointerEncoding.pcRelative4
            cies.append(IndexedCIE(section: number, entry: entry, isPlain: isPlain))
            cieNumbers[key] = Int32(cies.count - 1)
            // This may evict another CIE, which is then found in `cieNumbers`.
            quickCIEs.elements[Self.quickPlace(offset)] = UInt64(offset) << 32 | UInt64(cies.count)
            return cies.count - 1
        } catch {
            // Errors are cached too: a million FDEs may point to one bad CIE.
            cieNumbers[key] = -1 - Int32(error.rawValue)
            throw error
        }
    }

    /// Limits the time for reading CIEs. Each is read and run once, which is linear as long as they don't overlap. In a
    /// hostile file, FDEs can point to any byte as their CIE. Real files have fewer than 100 CIEs.
    private mutating func charge(_ offset: Int, _ section: FrameSection) throws(CFIError) {
        guard offset >= 0, offset < section.bytes.count else { throw .ciePointerOutOfBounds }
        cieBytes += try section.entryHeader(at: offset).end - offset
        guard cieBytes <= 16 * section.bytes.count, cies.count < 65_536 else { throw .tooManyCIEs }
    }

    private func cieError(code: Int32) -> CFIError {
        CFIError(rawValue: UInt8(truncatingIfNeeded: -1 - code)) ?? .notACIE
    }
}

extension FrameSection {
    /// Skips zeros, eight bytes at a time: each four of them are a terminator or padding.
    fileprivate func endOfZeros(from offset: Int) -> Int {
        var position = offset
        while bytes.count &- position >= 8, base.loadUnaligned(fromByteOffset: position, as: UInt64.self) == 0 {
            position &+= 8
        }
        return position
    }
}
