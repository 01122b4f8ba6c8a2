import CUnwindTable
import CallFrameInfo
import UnwindTable

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
        if kind == .uniform { return UInt32(final[Int(place)]) << UInt32(CFIC_PAGE_KIND_BITS) }
        // Not nil: there is a record.
        let source = base.unsafelyUnwrapped + origin + Int(place) * Int(CFIC_RECORD_ALIGN)
        let target = base.unsafelyUnwrapped + end
        let new = UInt32(truncatingIfNeeded: (end - start) / Int(CFIC_RECORD_ALIGN))
        switch kind {
        case .sparse: finishPalette(source, target, head: MemoryLayout<cfic_sparse>.size, isDense: false)
        case .dense: finishPalette(source, target, head: MemoryLayout<cfic_dense>.size, isDense: true)
        default: finishQuarters(source, target, moved: place &- new)
        }
        return new << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
    }

    /// Sparse and dense records alike begin with the numbers of rows and of palette entries, and have the palette
    /// behind their head, then the rows.
    private mutating func finishPalette(
        _ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, head: Int, isDense: Bool
    ) {
        let rowCount = Int(source.load(as: UInt16.self))
        let paletteCount = Int(source.load(fromByteOffset: 2, as: UInt16.self))
        let palette = source + head
        let rows = palette + 2 * paletteCount
        let rowBytes = (isDense ? 2 : 3) * rowCount
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: Int(CFIC_PALETTE_MAX)) { numbers in
            var all: UInt16 = 0
            for slot in 0..<paletteCount {
                numbers[slot] = final[Int(palette.load(fromByteOffset: 2 * slot, as: UInt16.self))]
                all |= numbers[slot]
            }
            // Not nil: it has room for 256.
            let numbers = numbers.baseAddress.unsafelyUnwrapped
            // From here on what is read may have been written over up to the place that is written.
            target.copyMemory(from: source, byteCount: head)
            var place = target + head
            let hasPalette = all >= CFIC_PALETTE_MAX
            if hasPalette {
                place.copyMemory(from: numbers, byteCount: 2 * paletteCount)
                place += 2 * paletteCount
            } else {
                target.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
            }
            place.copyMemory(from: rows, byteCount: rowBytes)
            if !hasPalette {
                // Each row's index, which is below the palette's size, becomes a rule number, which is below 256.
                let (codes, stride) = isDense ? (place + 1, 2) : (place + 2 * rowCount, 1)
                for row in 0..<rowCount {
                    let code = codes.load(fromByteOffset: stride &* row, as: UInt8.self)
                    let number = UInt8(truncatingIfNeeded: numbers[Int(code)])
                    codes.storeBytes(of: number, toByteOffset: stride &* row, as: UInt8.self)
                }
            }
            close(target, size: place - target + rowBytes)
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
