import CUnwindTable
import TestFixtures
import UnwindTable

extension Corruption {
    private static let noFirst = "record has no item at unit 0"
    private static let overlap = "items of a block do not increase, or overlap"
    private static let outside = "item is not in its block, or its template extends beyond"
    private static let index = "block index decreases or points outside the items"

    static let ofSparseRecords: [Corruption] = [
        Corruption("sparseWithoutItems", "pages", "sparse record has no items or more than 256") {
            $0.store(UInt16(0), at: $0.record(0) + 2)
        },
        Corruption("sparseWith257Items", "pages", "sparse record has no items or more than 256") {
            $0.store(UInt16(257), at: $0.record(0) + 2)
        },
        Corruption("sparseReserved", "pages", "reserved byte is not zero") { $0.store(UInt8(1), at: $0.record(0) + 1) },
        Corruption("sparseFirstUnit", "pages", noFirst) { $0.store(UInt16(1), at: $0.sparseUnits(0)) },
        Corruption("sparseUnitsEqual", "pages", "items do not increase, or overlap") {
            $0.store(UInt16(0x300), at: $0.sparseUnits(0) + 2)
        },
        Corruption("sparseUnitsFall", "pages", "items do not increase, or overlap") {
            $0.store(UInt16(0), at: $0.sparseUnits(0) + 6)
        },
        Corruption("sparseItemInTemplate", "pages", "items do not increase, or overlap") {
            $0.store(UInt16(0x300 + 10), at: $0.sparseUnits(0) + 6)
        },
        Corruption("sparseTemplateBeyondBlock", "pages", "template extends beyond its block") {
            $0.store(UInt16(0x3ff - 9), at: $0.sparseUnits(0) + 4)
        },
        Corruption("sparseLastTemplateBeyondPage", "pages", "template extends beyond its block") {
            $0.store(UInt16(0xffff), at: $0.sparseUnits(4) + 4)
        },
        Corruption("sparsePaletteEntry", "pages", "palette entry is not below the number of symbols") {
            let symbols = $0.count(CFIC_SECTION_RULES) + $0.count(CFIC_SECTION_TEMPLATES)
            $0.store(UInt16(symbols), at: $0.record(4) + 4)
        },
    ]

    static let ofDenseRecords: [Corruption] = [
        Corruption("indexOf3Bits", "pages", "unknown kind of block index") { $0.store(UInt8(3), at: $0.record(1) + 1) },
        Corruption("indexOf9Bits", "pages", "unknown kind of block index") { $0.store(UInt8(9), at: $0.record(1) + 1) },
        Corruption("nibblesOf7Bits", "pages", "unknown kind of block index") {
            $0.store(UInt8(0x87), at: $0.record(5) + 1)
        },
        Corruption("incompleteGroup", "pages", "unknown kind of block index") {
            $0.store(UInt16(0xfeff), at: $0.record(1) + 2)
        },
        Corruption("incompleteNibbleGroup", "pages", "unknown kind of block index") {
            $0.store(UInt16(0xf7ff), at: $0.record(5) + 2)
        },
        Corruption("incompleteBlock", "pages", "unknown kind of block index") {
            $0.store(UInt16(1022), at: $0.record(6) + 2)
        },
        Corruption("noBlocks", "pages", "unknown kind of block index") { $0.store(UInt16(14), at: $0.record(6) + 2) },
        Corruption("denseWithoutItems", "pages", "dense record has no items or more than 32,767") {
            $0.store(UInt16(0), at: $0.itemCount(5))
        },
        Corruption("denseWith32768Items", "pages", "dense record has no items or more than 32,767") {
            $0.store(UInt16(32_768), at: $0.itemCount(1))
        },
        Corruption("denseTooLarge", "pages", "record is larger than 65,536 bytes") {
            $0.store(UInt16(32_767), at: $0.itemCount(1))
        },
        Corruption("densePaletteEntry", "pages", "palette entry is not below the number of symbols") {
            $0.store(UInt16.max, at: $0.itemCount(1) + 2 + 2)
        },
        // Groups: bits 0-14 are the base, 15-21 the start of block 1 and so on. Items are 200 units apart.
        Corruption("denseIndexStart", "pages", "block index does not begin with the first item") {
            let word = $0.load($0.record(1) + 4, as: UInt64.self)
            // One more base, and one fewer of the starts of blocks 1 to 7, which don't become 0.
            let starts = (0..<7).reduce(0 as UInt64) { $0 | 1 << UInt64(15 + 7 * $1) }
            $0.store(word - starts + 1, at: $0.record(1) + 4)
        },
        Corruption("denseBlockTooLarge", "pages", "block has more than 127 items") {
            // The second group begins with the item after all, so the last block of the first group ends there.
            let group = $0.record(1) + 4 + 8
            $0.store($0.load(group, as: UInt64.self) & ~0x7fff | 262, at: group)
        },
        Corruption("denseIndexFalls", "pages", index) {
            let word = $0.load($0.record(1) + 4, as: UInt64.self)
            $0.store(word & ~(0x7f << 22), at: $0.record(1) + 4)
        },
        Corruption("denseBaseFalls", "pages", index) {
            let group = $0.record(1) + 4 + 8
            $0.store($0.load(group, as: UInt64.self) & ~0x7fff, at: group)
        },
        Corruption("denseIndexOutsideItems", "pages", index) {
            let last = $0.record(1) + 4 + 8 * 31
            $0.store($0.load(last, as: UInt64.self) | 0x7f << 15, at: last)
        },
        Corruption("denseFirstUnit", "pages", noFirst) { $0.store(UInt8(1), at: $0.item(0, of: 1)) },
        Corruption("denseFirstBlockEmpty", "pages", noFirst) {
            let word = $0.load($0.record(1) + 4, as: UInt64.self)
            $0.store(word & ~(0x7f << 15), at: $0.record(1) + 4)
        },
        // The first block has the items at 0, a template of 8 units, and 200.
        Corruption("denseUnitsEqual", "pages", overlap) { $0.store(UInt8(0), at: $0.item(1, of: 1)) },
        Corruption("denseItemInTemplate", "pages", overlap) { $0.store(UInt8(7), at: $0.item(1, of: 1)) },
        Corruption("denseTemplateBeyondBlock", "pages", outside) {
            $0.store(UInt8(249), at: $0.item(1, of: 1))
            $0.store(UInt8(251), at: $0.item(1, of: 1) + 1)
        },
        Corruption("denseTemplateBeyondNext", "pages", overlap) {
            // Symbol 200 reaches 10 units.
            $0.store(UInt16(200), at: $0.itemCount(1) + 2 + 2 * 2)
            $0.store(UInt8(10), at: $0.item(1, of: 1))
        },
        Corruption("nibblesStart", "pages", noFirst) { $0.store(UInt16(1), at: $0.record(5) + 4) },
        Corruption("nibblesFirstBlockEmpty", "pages", noFirst) {
            let counts = $0.load($0.record(5) + 6, as: UInt64.self)
            $0.store(counts & ~15, at: $0.record(5) + 6)
        },
        Corruption("nibblesBase", "pages", index) {
            let base = $0.record(5) + 4 + 10 * 3
            $0.store($0.load(base, as: UInt16.self) + 1, at: base)
        },
        Corruption("nibblesOutsideItems", "pages", index) {
            $0.store(UInt64.max, at: $0.record(5) + 4 + 10 * 15 + 2)
        },
        Corruption("nibblesWithoutTheLastItem", "pages", "block index does not hold all items") {
            let group = $0.record(5) + 4 + 10 * 12 + 2
            // Block 202 has the last item, at 51,800.
            $0.store($0.load(group, as: UInt64.self) - 1 << (4 * 10), at: group)
            for later in 13..<16 { $0.store(UInt16(259), at: $0.record(5) + 4 + 10 * later) }
        },
        Corruption("nibblesUnitsEqual", "pages", overlap) { $0.store(UInt8(0), at: $0.item(1, of: 5)) },
        // Blocks of 16 units; items are 20 units apart: 0 (block 0), 20 (1), 40 (2), 60 (3), 80 (5).
        Corruption("fineBelowItsBlock", "pages", outside) { $0.store(UInt8(15), at: $0.item(1, of: 6)) },
        Corruption("fineAboveItsBlock", "pages", outside) { $0.store(UInt8(32), at: $0.item(1, of: 6)) },
        Corruption("fineInAnotherBlockOf256", "pages", outside) {
            // Unit 260 is in block 16, as 4 of the next 256 units.
            $0.store(UInt8(20), at: $0.item(13, of: 6))
        },
        Corruption("fineTemplateBeyondBlock", "pages", outside) {
            $0.store(UInt8(25), at: $0.item(1, of: 6))
            $0.store(UInt8(201), at: $0.item(1, of: 6) + 1)
        },
    ]

    /// Of the small specimen, which has 13 symbols.
    static let ofCodes: [Corruption] = [
        Corruption("sparseCode", "pages", "code has no symbol") { $0.store(UInt8(13), at: $0.sparseUnits(0) + 6) },
        Corruption("highSparseCode", "pages", "code has no symbol") { $0.store(UInt8(255), at: $0.sparseUnits(0) + 6) },
        Corruption("denseCode", "pages", "code has no symbol") { $0.store(UInt8(13), at: $0.item(3, of: 1) + 1) },
        Corruption("codeBelowPalette", "pages", "code has no symbol") {
            $0.store(UInt8(254), at: $0.item(3, of: 4) + 1)
        },
        Corruption("codeOfAllRecords", "pages", "code has no symbol") {
            $0.store(UInt8(200), at: $0.item(9, of: 5) + 1)
        },
    ]

    static let ofQuarters: [Corruption] = [
        Corruption("quarterTooLarge", "pages", "quarter has more than 16,384 rows") {
            $0.store(UInt16(16_385), at: $0.quarter(1, of: 2))
        },
        Corruption("quarterWithoutRows", "pages", "block index does not begin with the first row") {
            $0.store(UInt16(0), at: $0.quarter(1, of: 2))
        },
        Corruption("quarterIndexStart", "pages", "block index does not begin with the first row") {
            $0.store(UInt16(1), at: $0.quarter(1, of: 2) + 2)
        },
        Corruption("quarterIndexEnd", "pages", "block index does not hold all items") {
            let end = $0.quarter(1, of: 2) + 2 + 2 * 64
            $0.store($0.load(end, as: UInt16.self) - 1, at: end)
        },
        Corruption("quarterRuleNumber", "pages", "rule number is not below the number of rules") {
            $0.store(UInt16($0.count(CFIC_SECTION_RULES)), at: $0.quarter(3, of: 2) + 132)
        },
        Corruption("quarterFirstUnit", "pages", noFirst) {
            let quarter = $0.quarter(1, of: 2)
            $0.store(UInt8(1), at: quarter + 132 + 2 * Int($0.load(quarter, as: UInt16.self)))
        },
        Corruption("quarterFirstBlockEmpty", "pages", noFirst) { $0.store(UInt16(0), at: $0.quarter(1, of: 2) + 4) },
        Corruption("quarterUnitsFall", "pages", overlap) {
            let quarter = $0.quarter(0, of: 2)
            $0.store(UInt8(0), at: quarter + 132 + 2 * Int($0.load(quarter, as: UInt16.self)) + 2)
        },
        Corruption("quarterIndexFalls", "pages", index) { $0.store(UInt16(0), at: $0.quarter(0, of: 2) + 2 + 2 * 5) },
        Corruption("quarterIndexOutsideRows", "pages", index) {
            $0.store(UInt16.max, at: $0.quarter(0, of: 2) + 2 + 2 * 63)
        },
    ]
}
