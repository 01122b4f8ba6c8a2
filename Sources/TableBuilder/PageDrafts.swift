import CUnwindTable
import CallFrameInfo
import UnwindTable

/// A page, or a run of pages, that was encoded.
struct EncodedPage: BitwiseCopyable {
    /// SVMA >> (pcShift + 16).
    var number: UInt64
    /// How many pages this stands for: more than 1 only where all are wholly of one rule.
    var count: UInt64
    /// The directory entry, with the chunk's own rule numbers.
    var entry: UInt32
    var rowCount: UInt32
    var firstRule: UInt16
    var lastRule: UInt16
}

/// Cuts a stream of rows into pages, merging neighbours with equal rules, and has each page encoded when it is
/// complete, while its rows are at hand.
struct PageDrafts<A: Architecture>: ~Copyable {
    private(set) var pages = GrowableBuffer<EncodedPage>()
    var encoder = PageEncoder()
    /// Units that rules with a reason hold for, "no information" apart.
    private(set) var unknownUnits: UInt64 = 0

    /// The current page's rows, as unit << 16 | rule number; the first, which is always there, is at unit 0. No unit
    /// has two, so that there is room for all.
    private let rows: UnsafeMutablePointer<UInt32>
    /// Behind the last row.
    private var end: UnsafeMutablePointer<UInt32>
    private var currentPage: UInt64 = 0
    /// The first address of the next page, as far as `OffsetRowWriter` may go.
    private var stop: UInt64 = 0
    /// Which rules have a reason; looked at if one has.
    private var isUnknown = GrowableBuffer<Bool>()

    init() {
        // Memory that is not touched costs nothing.
        rows = .allocate(capacity: Int(CFIC_PAGE_UNITS))
        end = rows
        open(0, rule: 0)
    }

    deinit { rows.deallocate() }

    /// The rule in force behind the last row.
    var currentRule: UInt16 { UInt16(truncatingIfNeeded: end[-1]) }

    /// The unit where the last row is.
    private var lastUnit: UInt64 { currentPage &<< 16 | UInt64(end[-1] &>> 16) }

    /// Starts over at the beginning of `page` with rule 0 in force.
    mutating func begin(page: UInt64) {
        pages.removeAll()
        isUnknown.removeAll()
        unknownUnits = 0
        open(page, rule: 0)
    }

    /// From now on rule `number`, which is not 0, is one with a reason.
    mutating func noteUnknown(_ number: UInt16) {
        while isUnknown.count <= Int(number) { isUnknown.append(false) }
        isUnknown.elements[Int(number)] = true
    }

    /// From `address` on, `rule` holds. Addresses never fall; of several rows in one unit the last wins.
    @inline(__always)
    mutating func append(_ address: UInt64, rule: UInt16) {
        if rule == currentRule { return }
        let unit = address &>> UInt64(A.pcShift)
        if unit &>> 16 > currentPage { enter(unit &>> 16) }
        // Not above: so that no unit has two rows, and `rows` room for all, whatever comes.
        if unit <= lastUnit { return replaceLast(rule) }
        put(UInt32(truncatingIfNeeded: unit) &<< 16 | UInt32(rule))
    }

    @inline(__always)
    private mutating func put(_ row: UInt32) {
        end.initialize(to: row)
        end += 1
    }

    /// Appends rows to the current page without asking much.
    struct Writer: BitwiseCopyable {
        /// Where the next row goes; the one before is there.
        fileprivate var next: UnsafeMutablePointer<UInt32>
        /// Rows that had the rule of the one before.
        fileprivate var mergedCount = 0
        /// The first address of the next page.
        let stop: UInt64

        /// As `PageDrafts.append`, of addresses below `stop` and each in a unit above the one before.
        @inline(__always)
        mutating func append(_ address: UInt64, rule: UInt16) {
            if rule == UInt16(truncatingIfNeeded: next[-1]) {
                mergedCount &+= 1
                return
            }
            // There is room: a page has as many units as `rows` has places, and none is taken twice.
            let unit = UInt32(truncatingIfNeeded: address &>> UInt64(A.pcShift))
            next.initialize(to: unit &<< 16 | UInt32(rule))
            next += 1
        }
    }

    /// A writer for rows from `address` on; nil if it is not in a unit behind the last row's.
    @inline(__always)
    func writer(at address: UInt64) -> Writer? {
        guard address &>> UInt64(A.pcShift) > lastUnit else { return nil }
        return Writer(next: end, stop: stop)
    }

    /// Takes over what the writer, made since the last change, has appended; returns how many rows it was given.
    @inline(__always)
    mutating func takeBack(_ writer: Writer) -> Int {
        // `next` is not below `end`.
        let bytes = UInt(bitPattern: writer.next) &- UInt(bitPattern: end)
        end = writer.next
        return Int(bytes / UInt(MemoryLayout<UInt32>.stride)) &+ writer.mergedCount
    }

    /// Ends the stream: what is in force holds up to the end of page `last`.
    mutating func finish(last: UInt64) {
        closePage()
        if last > currentPage, currentRule != 0 { appendUniform(from: currentPage + 1, count: last - currentPage) }
    }

    private mutating func open(_ page: UInt64, rule: UInt16) {
        currentPage = page
        // 0 for the last page of all: nothing is below that.
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

    /// Gives the last row another rule, and drops it if it then repeats the one before.
    @inline(never)
    private mutating func replaceLast(_ rule: UInt16) {
        end[-1] = end[-1] & 0xffff_0000 | UInt32(rule)
        if end - rows > 1, UInt16(truncatingIfNeeded: end[-2]) == rule { end -= 1 }
    }

    /// As many pages as that, of the current rule alone.
    private mutating func appendUniform(from page: UInt64, count: UInt64) {
        open(page, rule: currentRule)
        appendPage(page, count: count)
    }

    private mutating func closePage() { appendPage(currentPage, count: 1) }

    private mutating func appendPage(_ page: UInt64, count: UInt64) {
        let rows = UnsafeBufferPointer(start: rows, count: end - rows)
        if !isUnknown.isEmpty { addUnknownUnits(rows, count: count) }
        // A page has at most 65,536 rows, and the first is always there.
        pages.append(
            EncodedPage(
                number: page, count: count, entry: encoder.encode(rows),
                rowCount: UInt32(truncatingIfNeeded: rows.count),
                firstRule: UInt16(truncatingIfNeeded: rows[0]),
                lastRule: UInt16(truncatingIfNeeded: rows[rows.count - 1])))
    }

    /// Puts the table's rule numbers, by the chunk's, in all pages.
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
