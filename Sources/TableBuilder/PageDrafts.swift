import CUnwindTable
import CallFrameInfo
import Glibc
import UnwindTable

/// A page, or a run of equal pages.
struct DraftPage: BitwiseCopyable {
    /// SVMA >> (pcShift + 16).
    var number: UInt64
    /// Number of pages: more than 1 only for consecutive pages that have a single rule.
    var count: UInt64
    /// The index of its first row, and later item, among those of all pages.
    var start: Int
    var rowCount: UInt32
    var itemCount: UInt32 = 0
    /// By the chunk's numbers.
    var firstRule: UInt16
    var lastRule: UInt16
    /// The directory entry, once it is encoded.
    var entry: UInt32 = 0
}

/// Cuts a stream of rows into pages, and merges neighbouring rows with equal rules.
///
/// All rows are kept until the table's rule numbers and templates are known: 4 bytes a row.
struct PageDrafts<A: Architecture>: ~Copyable {
    private(set) var pages = GrowableBuffer<DraftPage>()
    /// Number of units that have a reason other than "no information".
    private(set) var unknownUnits: UInt64 = 0
    /// By rule number: the number of rows with the rule, in all pages.
    let uses: UnsafeMutablePointer<UInt32>

    /// The rows of the pages with more than one, as unit << 16 | the chunk's rule number; later their items.
    private var allRows = GrowableBuffer<UInt32>()
    /// The current page's rows, behind those of `allRows`. The first row is always present, at unit 0. No unit has two
    /// rows, so a page's rows always fit.
    private var rows: UnsafeMutablePointer<UInt32>
    /// The end of the rows (exclusive).
    private var end: UnsafeMutablePointer<UInt32>
    private var currentPage: UInt64 = 0
    /// A `Writer` takes only addresses below this: the first address of the next page, or less (see `open`).
    private var stop: UInt64 = 0
    /// By rule number: whether the rule is a reason. Empty if none is.
    private var isUnknown = GrowableBuffer<Bool>()

    init() {
        // From calloc, so that the system zeroes memory on first touch. Only the part for existing rules is touched.
        guard let memory = calloc(Int(CFIC_RULES_MAX), MemoryLayout<UInt32>.stride) else {
            fatalError("out of memory")
        }
        uses = memory.bindMemory(to: UInt32.self, capacity: Int(CFIC_RULES_MAX))
        allRows.reserveCapacity(Int(CFIC_PAGE_UNITS))
        rows = allRows.unused
        end = rows
        open(0, rule: 0)
    }

    deinit { free(uses) }

    /// Prepares for the next image.
    ///
    /// - Parameter ruleCount: the number of rules of the previous one, whose `uses` are reset.
    mutating func reset(ruleCount: Int) {
        uses.update(repeating: 0, count: ruleCount)
    }

    /// The number of rows of pages with more than one.
    var rowCount: Int { allRows.count }

    /// The rows of a page with more than one.
    func rows(of page: DraftPage) -> UnsafeBufferPointer<UInt32> {
        UnsafeBufferPointer(
            rebasing: UnsafeBufferPointer(allRows.elements)[page.start..<page.start + Int(page.rowCount)])
    }

    /// The rule of the last row.
    var currentRule: UInt16 { UInt16(truncatingIfNeeded: end[-1]) }

    /// The unit of the last row.
    private var lastUnit: UInt64 { currentPage &<< 16 | UInt64(end[-1] &>> 16) }

    /// Starts a new stream at the beginning of `page`, with rule 0.
    mutating func begin(page: UInt64) {
        pages.removeAll()
        allRows.removeAll()
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
        // Memory that isn't touched costs nothing.
        allRows.reserveCapacity(allRows.count + Int(CFIC_PAGE_UNITS))
        rows = allRows.unused
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
        let uses = uses
        for row in rows { uses[Int(row & 0xffff)] &+= 1 }
        // A page has at most 65,536 rows, and always the first.
        pages.append(
            DraftPage(
                number: page, count: count, start: allRows.count,
                rowCount: UInt32(truncatingIfNeeded: rows.count),
                firstRule: UInt16(truncatingIfNeeded: rows[0]),
                lastRule: UInt16(truncatingIfNeeded: rows[rows.count - 1])))
        if rows.count > 1 { allRows.setCount(allRows.count + rows.count) }
    }

    /// Replaces all rows by items (`TemplateTrie.parse`).
    ///
    /// - Parameters:
    ///   - final: the table's rule numbers, by the chunk's.
    ///   - uses: by symbol, how often it is used; increased.
    mutating func makeItems(_ trie: borrowing TemplateTrie, final: [UInt16], uses: UnsafeMutablePointer<UInt32>) {
        final.withUnsafeBufferPointer { final in
            // Not nil: rule 0 is always there.
            let final = final.baseAddress.unsafelyUnwrapped
            for index in 0..<pages.count where pages.elements[index].rowCount > 1 {
                let page = pages.elements[index]
                // Not nil: there are rows.
                let rows = allRows.elements.baseAddress.unsafelyUnwrapped + page.start
                let count = trie.parse(
                    rows, count: Int(page.rowCount), to: rows, blockMask: UInt32(CFIC_BLOCK_UNITS) - 1, uses: uses
                ) { UInt32(final[Int($0)]) }
                pages.elements[index].itemCount = UInt32(truncatingIfNeeded: count)
            }
        }
    }

    /// Encodes all pages, after `makeItems`, and sets their directory entries.
    mutating func encode(
        by encoder: inout PageEncoder, _ symbols: borrowing SymbolNumbering, final: [UInt16]
    ) {
        for index in 0..<pages.count {
            let page = pages.elements[index]
            if page.rowCount == 1 {
                pages.elements[index].entry = UInt32(final[Int(page.firstRule)]) << UInt32(CFIC_PAGE_KIND_BITS)
                continue
            }
            let items = allRows.elements[page.start..<page.start + Int(page.itemCount)]
            pages.elements[index].entry = encoder.encode(UnsafeMutableBufferPointer(rebasing: items), symbols)
        }
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
