import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Replaces the chunk's rule numbers with the table's, record by record, and compacts the records in place.
///
/// Each record is written at or before its old offset: none grows, and records that need no palette lose it.
struct PageFinisher {
    private let base: UnsafeMutableRawPointer?
    /// The table's rule numbers by the chunk's.
    private let final: UnsafeBufferPointer<UInt16>
    /// The first record's old offset.
    private let origin: Int
    /// The first record's new offset.
    private let start: Int
    /// Offset of the end of the last finished record.
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

    /// Finishes the record of a directory entry, if it has one, and returns the new entry. To be called with all
    /// entries in the order of their records.
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

    /// Sparse and dense records both start with the number of rows and the number of palette entries. The palette
    /// follows the head, then the rows.
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
            // Not nil: the capacity is 256.
            let numbers = numbers.baseAddress.unsafelyUnwrapped
            // The record may overlap its old bytes, so from here on each part is read before it can be overwritten.
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
                // Replace each row's palette slot with the rule number, which is below 256.
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

    /// A head with the quarters' offsets, and the four quarters after it. Their sizes don't change.
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

    /// Ends a record with zeros up to the next record's new offset, which isn't above that record's old offset.
    private mutating func close(_ target: UnsafeMutableRawPointer, size: Int) {
        let aligned = (size + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
        for padding in size..<aligned { target.storeBytes(of: 0, toByteOffset: padding, as: UInt8.self) }
        end += aligned
    }
}
