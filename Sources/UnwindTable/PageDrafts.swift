import CUnwindTable
import CallFrameInfo

/// A page, or a run of pages, and the rows it has in `PageDrafts.rows`.
struct DraftedPage: BitwiseCopyable {
    /// SVMA >> (pcShift + 16).
    var number: UInt64
    /// How many pages this stands for: more than 1 only where all are wholly of one rule.
    var count: UInt64
    var firstRow: Int
    var rowCount: Int
}

/// Cuts a stream of rows into pages, merging neighbours with equal rules.
///
/// Rows are kept as unit << 16 | rule number, pages as runs of rows; both are encoded later, when the final
/// rule numbers are known.
struct PageDrafts<A: Architecture>: ~Copyable {
    private(set) var rows = GrowableBuffer<UInt32>()
    private(set) var pages = GrowableBuffer<DraftedPage>()
    /// The rule in force behind the last row.
    private(set) var currentRule: UInt32 = 0

    private var currentPage: UInt64 = 0
    private var lastUnit: UInt64 = 0
    private var firstRow = 0

    /// Starts over at the beginning of `page` with rule 0 in force.
    mutating func begin(page: UInt64) {
        rows.removeAll()
        pages.removeAll()
        currentRule = 0
        open(page)
    }

    /// From `address` on, `rule` holds. Addresses never fall; of several rows in one unit the last wins.
    @inline(__always)
    mutating func append(_ address: UInt64, rule: UInt16) {
        let rule = UInt32(rule)
        if rule == currentRule { return }
        let unit = address &>> UInt64(A.pcShift)
        if unit &>> 16 != currentPage { enter(unit &>> 16) }
        currentRule = rule
        if unit == lastUnit { return replaceLast() }
        lastUnit = unit
        rows.append(UInt32(truncatingIfNeeded: unit & 0xffff) &<< 16 | rule)
    }

    /// As `append`, if nothing needs to be called for it; false if it is left to be done.
    @inline(__always)
    mutating func appendIfUsual(_ address: UInt64, rule: UInt16) -> Bool {
        let rule = UInt32(rule)
        if rule == currentRule { return true }
        let unit = address &>> UInt64(A.pcShift)
        guard unit &>> 16 == currentPage, unit != lastUnit,
            rows.appendIfRoom(UInt32(truncatingIfNeeded: unit) &<< 16 | rule) else { return false }
        currentRule = rule
        lastUnit = unit
        return true
    }

    /// Ends the stream: what is in force holds up to the end of page `last`.
    mutating func finish(last: UInt64) {
        closePage()
        if last > currentPage, currentRule != 0 { appendUniform(from: currentPage + 1, count: last - currentPage) }
    }

    private mutating func open(_ page: UInt64) {
        currentPage = page
        lastUnit = page &<< 16
        firstRow = rows.count
        rows.append(currentRule)
    }

    @inline(never)
    private mutating func enter(_ page: UInt64) {
        closePage()
        if page > currentPage + 1, currentRule != 0 {
            appendUniform(from: currentPage + 1, count: page - currentPage - 1)
        }
        open(page)
    }

    /// Gives the last row another rule, and drops it if it then repeats the one before.
    @inline(never)
    private mutating func replaceLast() {
        let last = rows.count - 1
        let elements = rows.elements
        elements[last] = elements[last] & 0xffff_0000 | currentRule
        guard last > firstRow, elements[last - 1] & 0xffff == currentRule else { return }
        rows.setCount(last)
        lastUnit = currentPage &<< 16 | UInt64(elements[last - 1] &>> 16)
    }

    private mutating func appendUniform(from page: UInt64, count: UInt64) {
        pages.append(DraftedPage(number: page, count: count, firstRow: rows.count, rowCount: 1))
        rows.append(currentRule)
    }

    private mutating func closePage() {
        pages.append(DraftedPage(number: currentPage, count: 1, firstRow: firstRow, rowCount: rows.count - firstRow))
    }
}
