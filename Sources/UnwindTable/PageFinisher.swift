import CUnwindTable
import CallFrameInfo

/// Puts the table's rule numbers in place of the chunk's, record by record, and closes up the records.
///
/// A record is rewritten where it is or before that: none grows, and those without need of a palette lose it.
struct PageFinisher {
    private let base: UnsafeMutableRawPointer?
    /// The table's rule numbers by the chunk's.
    private let final: UnsafeBufferPointer<UInt16>
    /// Offsets of the first record, as it was and as it is to be.
    private let origin: Int
    private let start: Int
    /// Behind the last record that was finished.
    private(set) var end: Int

    /// - Precondition: `start` is not above `origin`, and both are multiples of 4.
    init(
        records: UnsafeMutableBufferPointer<UInt8>, from origin: Int, to start: Int,
        final: UnsafeBufferPointer<UInt16>
    ) {
        base = UnsafeMutableRawPointer(records.baseAddress)
        self.final = final
        self.origin = origin
        self.start = start
        end = start
    }

    /// Finishes the record that a directory entry is for, if it is for one; records in their order. Returns the new
    /// entry.
    mutating func finish(_ entry: UInt32) -> UInt32 {
        let (kind, place) = TableView.split(entry)
        if kind == CFIC_PAGE_UNIFORM { return UInt32(final[Int(place)]) << UInt32(CFIC_PAGE_KIND_BITS) }
        // Not nil: there is a record.
        let source = base.unsafelyUnwrapped + origin + Int(place) * Int(CFIC_RECORD_ALIGN)
        let target = base.unsafelyUnwrapped + end
        let new = UInt32(truncatingIfNeeded: (end - start) / Int(CFIC_RECORD_ALIGN))
        switch kind {
        case CFIC_PAGE_SPARSE: finishPalette(source, target, head: MemoryLayout<cfic_sparse>.size, unitSize: 2)
        case CFIC_PAGE_DENSE: finishPalette(source, target, head: MemoryLayout<cfic_dense>.size, unitSize: 1)
        default: finishQuarters(source, target, moved: place &- new)
        }
        return new << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
    }

    /// Sparse and dense records alike begin with the numbers of rows and of palette entries, and have the palette
    /// behind their head, then the rows' units, then their palette indices.
    private mutating func finishPalette(
        _ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, head: Int, unitSize: Int
    ) {
        let rowCount = Int(source.load(as: UInt16.self))
        let paletteCount = Int(source.load(fromByteOffset: 2, as: UInt16.self))
        let palette = source + head
        let units = palette + 2 * paletteCount
        let indices = units + unitSize * rowCount
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: Int(CFIC_PALETTE_MAX)) { numbers in
            var all: UInt16 = 0
            for slot in 0..<paletteCount {
                numbers[slot] = final[Int(palette.load(fromByteOffset: 2 * slot, as: UInt16.self))]
                all |= numbers[slot]
            }
            // From here on what is read may have been written over up to the place that is written.
            target.copyMemory(from: source, byteCount: head)
            let hasPalette = all >= CFIC_PALETTE_MAX
            var place = target + head
            if hasPalette {
                place.copyMemory(from: numbers.baseAddress.unsafelyUnwrapped, byteCount: 2 * paletteCount)
                place += 2 * paletteCount
            } else {
                target.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
            }
            place.copyMemory(from: units, byteCount: unitSize * rowCount)
            place += unitSize * rowCount
            if hasPalette {
                place.copyMemory(from: indices, byteCount: rowCount)
            } else {
                let from = indices.assumingMemoryBound(to: UInt8.self)
                let to = place.assumingMemoryBound(to: UInt8.self)
                // Indices are below the palette's size.
                let numbers = numbers.baseAddress.unsafelyUnwrapped
                for position in 0..<rowCount { to[position] = UInt8(truncatingIfNeeded: numbers[Int(from[position])]) }
            }
            close(target, size: place - target + rowCount)
        }
    }

    /// A head with the quarters' places, and the four quarters behind it: as long as they were.
    private mutating func finishQuarters(
        _ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, moved: UInt32
    ) {
        var from = source
        var to = target
        to.copyMemory(from: from, byteCount: MemoryLayout<cfic_quarters>.size)
        for quarter in 0..<4 {
            let place = to.load(fromByteOffset: 4 * quarter, as: UInt32.self) &- moved
            to.storeBytes(of: place, toByteOffset: 4 * quarter, as: UInt32.self)
        }
        from += MemoryLayout<cfic_quarters>.size
        to += MemoryLayout<cfic_quarters>.size
        for _ in 0..<4 {
            let rowCount = Int(from.load(as: UInt16.self))
            let head = MemoryLayout<cfic_quarter>.size
            let size = (head + 3 * rowCount + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
            to.copyMemory(from: from, byteCount: size)
            for row in 0..<rowCount {
                let number = final[Int(to.load(fromByteOffset: head + 2 * row, as: UInt16.self))]
                to.storeBytes(of: number, toByteOffset: head + 2 * row, as: UInt16.self)
            }
            from += size
            to += size
        }
        end += to - target
    }

    /// Ends a record: zeros up to the next one's place, which is not behind the next one as it was.
    private mutating func close(_ target: UnsafeMutableRawPointer, size: Int) {
        let aligned = (size + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
        for padding in size..<aligned { target.storeBytes(of: 0, toByteOffset: padding, as: UInt8.self) }
        end += aligned
    }
}
