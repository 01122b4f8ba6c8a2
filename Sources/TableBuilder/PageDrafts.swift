import CUnwindTable
import CallFrameInfo
import UnwindTable

/// An encoded page, or a run of equal pages.
struct EncodedPage: BitwiseCopyable {
    /// SVMA >> (pcShift + 16).
    var number: UInt64
    /// Number of pages: more than 1 only for consecutive pages that have a single rule.
    var count: UInt64
    /// The directory entry. Before `finishPages`, with the chunk's rule numbers.
    var entry: UInt32
    var rowCount: UInt32
    var firstRule: UInt16
    var lastRule: UInt16
}

/// Cuts a stream of rows into pages, merges neighbouring rows with equal rules, and encodes each page as soon as it is
/// complete. Only the current page's rows are kept.
struct PageDrafts<A: Architecture>: ~Copyable {
    private(set) var pages = GrowableBuffer<EncodedPage>()
    var encoder = PageEncoder()
    /// Number of units that have a reason other than "no information".
    private(set) var unknownUnits: UInt64 = 0

    /// The current page's rows, as unit << 16 | rule number. The first row is always present, at unit 0. No unit has
    /// two rows, so a page's rows always fit.
    private let rows: UnsafeMutablePointer<UInt32>
    /// The end of the rows (exclusive).
    private var end: UnsafeMutablePointer<UInt32>
    private var currentPage: UInt64 = 0
    /// A `Writer` takes only addresses below this: the first address of the next page, or less (see `open`).
    private var stop: UInt64 = 0
    /// By rule number: whether the rule is a reason. Empty if none is.
    private var isUnknown = GrowableBuffer<Bool>()

    init() {
        // Memory that isn't touched costs nothing.
        rows = .allocate(capacity: Int(CFIC_PAGE_UNITS))
        end = rows
        open(0, rule: 0)
    }

    deinit { rows.deallocate() }

    /// The rule of the last row.
    var currentRule: UInt16 { UInt16(truncatingIfNeeded: end[-1]) }

    /// The unit of the last row.
    private var lastUnit: UInt64 { currentPage &<< 16 | UInt64(end[-1] &>> 16) }

    /// Starts a new stream at the beginning of `page`, with rule 0.
    mutating func begin(page: UInt64) {
        pages.removeAll()
        isUnknown.removeAll()
        unknownUnits = 0
        open(page, rule: 0)
    }

    /// Records that rule `number`, which isn't 0, is a reason.
    mutating func noteUnknown(_ number: UInt16) {
        while isUnknown.count <= Int(number) { isUnknown.append(false) }
        isUnknown.elements[Int(number)] = true
    }

    /// Appends a row: `rule` holds from `address` on. Addresses must not descend. Of several rows in one unit the last
    /// wins.
    @inline(__always)
    mutating func append(_ address: UInt64, rule: UInt16) {
        if rule == currentRule { return }
        let unit = address &>> UInt64(A.pcShift)
        if unit &>> 16 > currentPage { enter(unit &>> 16) }
        // `<=` and not `==`: even if addresses descend, no unit gets two rows, so that they fit `rows`.
        if unit <= lastUnit { return replaceLast(rule) }
        put(UInt32(truncatingIfNeeded: unit) &<< 16 | UInt32(rule))
    }

    @inline(__always)
    private mutating func put(_ row: UInt32) {
        end.initialize(to: row)
        end += 1
    }

    /// Appends rows to the current page with few checks.
    struct Writer: BitwiseCopyable {
        /// Where to store the next row. There is always a row before it.
        fileprivate var next: UnsafeMutablePointer<UInt32>
        /// Number of rows that were merged with their predecessors.
        fileprivate var mergedCount = 0
        /// `PageDrafts.stop`.
        let stop: UInt64

        /// Like `PageDrafts.append`. Addresses must be below `stop`, and each in a higher unit than the previous one.
        @inline(__always)
        mutating func append(_ address: UInt64, rule: UInt16) {
            if rule == UInt16(truncatingIfNeeded: next[-1]) {
                mergedCount &+= 1
                return
            }
            // `rows` has an element for each unit of a page, and units ascend, so there is always room.
            let unit = UInt32(truncatingIfNeeded: address &>> UInt64(A.pcShift))
            next.initialize(to: unit &<< 16 | UInt32(rule))
            next += 1
        }
    }

    /// A writer for rows from `address` on. Nil unless `address` is in a higher unit than the last row.
    @inline(__always)
    func writer(at address: UInt64) -> Writer? {
        guard address &>> UInt64(A.pcShift) > lastUnit else { return nil }
        return Writer(next: end, stop: stop)
    }

    /// Takes over the rows that the writer appended, and returns how many rows it got, merged ones included. Nothing
    /// may have been appended otherwise since the writer was made.
    @inline(__always)
    mutating func takeBack(_ writer: Writer) -> Int {
        // `next` is not below `end`.
        let bytes = UInt(bitPattern: writer.next) &- UInt(bitPattern: end)
        end = writer.next
        return Int(bytes / UInt(MemoryLayout<UInt32>.stride)) &+ writer.mergedCount
    }

    /// Ends the stream. The current rule holds up to the end of page `last`.
    mutating func finish(last: UInt64) {
        closePage()
        if last > currentPage, currentRule != 0 { appendUniform(from: currentPage + 1, count: last - currentPage) }
    }

    private mutating func open(_ page: UInt64, rule: UInt16) {
        currentPage = page
        // For the last page of the address space this wraps to 0 on purpose: no address is below 0, so a writer takes
        // no row of that page, and `append` handles them all. The upper bound is what `OffsetRowWriter.stop` promises.
        stop = min((page &+ 1) &<< UInt64(16 + A.pcShift), .max &- 1 &<< 32)
        end = rows
        put(UInt32(rule))
    }

    @inline(never)
    private mutating func enter(_ page: UInt64) {
        let rule = currentRule
        closePage()
        if page > currentPage + 1, rule != 0 { appendUniform(from: currentPage + 1, count: page - currentPage - 1) }
        open(page, rule: rule)
    }

    /// Changes the last row's rule, and drops the row if it then repeats the previous one.
    @inline(never)
    private mutating func replaceLast(_ rule: UInt16) {
        end[-1] = end[-1] & 0xffff_0000 | UInt32(rule)
        if end - rows > 1, UInt16(truncatingIfNeeded: end[-2]) == rule { end -= 1 }
    }

    /// Appends `count` pages with the current rule only.
    private mutating func appendUniform(from page: UInt64, count: UInt64) {
        open(page, rule: currentRule)
        appendPage(page, count: count)
    }

    private mutating func closePage() { appendPage(currentPage, count: 1) }

    private mutating func appendPage(_ page: UInt64, count: UInt64) {
        let rows = UnsafeBufferPointer(start: rows, count: end - rows)
        if !isUnknown.isEmpty { addUnknownUnits(rows, count: count) }
        // A page has at most 65,536 rows, and always the first.
        pages.append(
            EncodedPage(
                number: page, count: count, entry: encoder.encode(rows),
                rowCount: UInt32(truncatingIfNeeded: rows.count),
                firstRule: UInt16(truncatingIfNeeded: rows[0]),
                lastRule: UInt16(truncatingIfNeeded: rows[rows.count - 1])))
    }

    /// Replaces the chunk's rule numbers in all pages with the table's, which `final` has by the chunk's.
    mutating func finishPages(_ final: [UInt16], start: Int) {
        encoder.finish(pages.elements, final: final, start: start)
    }

    private mutating func addUnknownUnits(_ rows: UnsafeBufferPointer<UInt32>, count: UInt64) {
        for position in rows.indices {
            let rule = Int(rows[position] & 0xffff)
            guard rule < isUnknown.count, isUnknown.elements[rule] else { continue }
            let end = position + 1 < rows.count ? UInt64(rows[position + 1] >> 16) : UInt64(CFIC_PAGE_UNITS)
            unknownUnits += (end - UInt64(rows[position] >> 16)) * count
        }
    }
}
