@testable import KernelUnwinder
import Testing

/// Which tables go if not all fit.
struct EvictionPlanTests {
    /// A use of a table, a second after the one before.
    private func use(_ counts: UInt32...) -> RecentUse {
        var use = RecentUse()
        for (second, count) in counts.enumerated() { use.note(count, at: UInt64(second + 1) * 1_000_000_000) }
        return use
    }

    private func victims(
        _ bytes: Int, _ tables: [(bytes: Int, use: RecentUse)], worth: Double = .infinity
    ) -> [Int]? {
        EvictionPlan.victims(
            toFree: bytes, from: tables.map { EvictionPlan.Candidate(bytes: $0.bytes, use: $0.use) }, worth: worth)
    }

    @Test func useCountsLessTheLongerAgoItIs() {
        #expect(use().amount == 0 && use().lastUse == 0)
        #expect(use(8).amount == 8 && use(8).lastUse == 1_000_000_000)
        var table = use(8)
        table.note(8, at: 11_000_000_000)
        #expect(table.amount == 4 && table.lastUse == 1_000_000_000)
        table.note(11, at: 21_000_000_000)
        #expect(table.amount == 5 && table.lastUse == 21_000_000_000)
        table.note(11, at: 21_000_000_000 + 200_000_000_000)
        #expect(table.amount == 0)
    }

    /// The kernel's count has 32 bits.
    @Test func countMayOverflow() {
        var table = use(UInt32.max - 1)
        table.note(3, at: 1_000_000_000)
        #expect(table.amount == Double(UInt32.max) + 4)
    }

    @Test func tablesThatWereUsedLongestAgoGoFirst() {
        let tables = [(100, use(0, 1, 1)), (100, use(0, 0, 1)), (100, use(1, 1, 1)), (100, use(0, 0, 0))]
        #expect(victims(1, tables) == [3])
        #expect(victims(100, tables) == [3])
        #expect(victims(101, tables) == [3, 2])
        #expect(victims(400, tables) == [3, 2, 0, 1])
        #expect(victims(401, tables) == nil)
        #expect(victims(0, tables) == [] && victims(-5, []) == [] && victims(1, []) == nil)
    }

    /// A use of a large table holds more memory.
    @Test func ofTablesThatAreUsedNowThoseGoWithFewestUsesForTheirSize() {
        let tables = [(100, use(10)), (1000, use(20)), (10, use(2))]
        #expect(victims(1, tables) == [1])
        #expect(victims(1001, tables) == [1, 0])
    }

    /// Otherwise tables would be loaded and evicted in turns.
    @Test func noTableIsGivenUpForOneThatIsUsedLess() {
        let tables = [(100, use(10)), (100, use(30))]
        #expect(victims(100, tables, worth: 19) == nil)
        #expect(victims(100, tables, worth: 20) == [0])
        #expect(victims(200, tables, worth: 79) == nil)
        #expect(victims(200, tables, worth: 80) == [0, 1])
        // One that nobody used is given up for any use.
        #expect(victims(100, [(100, use(0))], worth: 1) == [0])
    }
}
