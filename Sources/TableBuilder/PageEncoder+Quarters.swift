import CUnwindTable
import CallFrameInfo
import UnwindTable

extension PageEncoder {
    /// Appends four records, each for a quarter of a page, and returns the directory entry.
    ///
    /// - Parameter rows: unit << 16 | rule number.
    mutating func encodeQuarters(_ rows: UnsafeBufferPointer<UInt32>) -> UInt32 {
        let start = records.count
        _ = open(MemoryLayout<cfic_quarters>.size)
        var places: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        var first = 0
        for quarter in 0..<4 {
            let limit = UInt64(quarter + 1) * UInt64(CFIC_QUARTER_UNITS)
            var end = first
            while end < rows.count, UInt64(rows[end] >> 16) < limit { end += 1 }
            let place = UInt32(truncatingIfNeeded: (records.count - origin) / Int(CFIC_RECORD_ALIGN))
            encodeQuarter(rows, first..<end, at: UInt32(quarter) * UInt32(CFIC_QUARTER_UNITS))
            withUnsafeMutableBytes(of: &places) { $0.storeBytes(of: place, toByteOffset: 4 * quarter, as: UInt32.self) }
            first = end
        }
        UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
            .storeBytes(of: cfic_quarters(quarter: places), as: cfic_quarters.self)
        return entry(.quarters, at: start)
    }

    /// Encodes a quarter's rows. If none is at its first unit, adds one with the rule of the preceding row.
    private mutating func encodeQuarter(
        _ rows: UnsafeBufferPointer<UInt32>, _ range: Range<Int>, at beginning: UInt32
    ) {
        let startsWithRow = !range.isEmpty && rows[range.lowerBound] >> 16 == beginning
        let count = range.count + (startsWithRow ? 0 : 1)
        let record = open(MemoryLayout<cfic_quarter>.size + 3 * count)
        record.storeBytes(of: UInt16(count), as: UInt16.self)
        let starts = record + 2
        let rules = record + MemoryLayout<cfic_quarter>.size
        let units = rules + 2 * count
        var block = 0
        for position in 0..<count {
            let index = range.lowerBound + position - (startsWithRow ? 0 : 1)
            // Only later quarters can lack a row at their first unit, because the page's first row is at unit 0.
            let unit = position == 0 ? 0 : (rows[index] >> 16) - beginning
            rules.storeBytes(of: UInt16(truncatingIfNeeded: rows[index]), toByteOffset: 2 * position, as: UInt16.self)
            units.storeBytes(of: UInt8(truncatingIfNeeded: unit), toByteOffset: position, as: UInt8.self)
            while block <= unit >> UInt32(CFIC_BLOCK_BITS) {
                starts.storeBytes(of: UInt16(position), toByteOffset: 2 * block, as: UInt16.self)
                block += 1
            }
        }
        while block <= CFIC_QUARTER_BLOCKS {
            starts.storeBytes(of: UInt16(count), toByteOffset: 2 * block, as: UInt16.self)
            block += 1
        }
    }
}
