import CUnwindTable
import Glibc
@testable import KernelUnwinder
import LinuxProcess
import Synchronization
import TableSupply
import TestFixtures
import Testing
import Threads

private var canWalk: Bool {
    #if arch(x86_64)
        HostKernel.takesPrograms
    #else
        false
    #endif
}

/// Tables that don't fit the budget together. Walks go through three tables, two of which fit.
@Suite(.enabled(if: canWalk, "\(HostKernel.need), and x86-64"), .timeLimit(.minutes(30)))
struct EvictionTests {
    private static let process: Int32 = .max
    /// Three tables, each mapped at its own address.
    private let made: [MadeTable]
    private let walker: Walker
    private let tables: [KernelTable]
    private let stack = StackMemory(words: 64)
    private var loaded: KernelTables { walker.unwinder.images.tables }
    private var memory: ElementMemory { walker.unwinder.memory }

    private static func code(_ number: Int) -> UInt64 { 0x7000_0000_0000 + UInt64(number) << 32 + 0x10_0000 }

    /// A table of some 190 KiB. The return address is `distance` bytes above the stack pointer at each of its addresses.
    private static func table(_ number: Int, distance: Int) throws -> MadeTable {
        // Rows alternate, so that they can't be joined; and more rules than a record can have come in no order.
        let function = MadeTable.Function(0x10_0000, length: 0x1_0000, every: 1, count: 0x1_0000) {
            $0 % 2 == 0 ? distance + 8 : 8 * (40 + (($0 &* 0x9E37_79B1) >> 13 & 0xffff) % 300)
        }
        return try MadeTable([function], key: .buildID([UInt8(number + 1)]))
    }

    init() throws {
        walker = try Walker { $0.tableBudget = 4 << 20 }
        made = try (0..<3).map { try Self.table($0, distance: 8 * $0) }
        let (memory, all) = (walker.unwinder.memory, made)
        let room = all[0].view.bytes.count * 5 / 2
        _ = try memory.allocate(words: (memory.tableLimit - memory.usedBytes - room) / 4)
        let loaded = walker.unwinder.images.tables
        tables = try all.map { try loaded.load($0.view) }
        try Self.publish(tables, by: walker)
        // From the first table's code to the second's, to the third's. Each has another distance.
        stack.fill()
        stack[0] = Self.code(1) + 3
        stack[8 + 8] = Self.code(2) + 3
        stack[8 + 8 + 8 + 16] = 0
    }

    /// Maps each table at its own address.
    private static func publish(_ tables: [KernelTable], by walker: Walker) throws {
        let mappings = tables.enumerated().flatMap { number, table in
            let bias = code(number) - 0x10_0000
            return table.ranges.map {
                PlacedMapping(
                    start: $0.addresses.lowerBound + bias, end: $0.addresses.upperBound + bias, bias: bias,
                    range: $0.place)
            }
        }
        try walker.unwinder.publish(process, mappings)
    }

    private func walk() throws -> Walker.Walk { try walker.walk(Self.process, from: Self.code(0), stack.address) }

    /// Looks up an address of one table only.
    private func use(_ number: Int, times: Int) throws {
        for _ in 0..<times {
            let sp = stack.address + [0, 8, 24][number]
            _ = try walker.walk(Self.process, from: Self.code(number) + 2, sp)
        }
    }

    private func reload(_ number: Int) {
        loaded.reload([(tables[number], ProvedTable(made[number].view, in: made[number]))])
    }

    private static let whole = [code(0), code(1) + 3, code(2) + 3]

    @Test func walkEndsAtATableThatDoesNotFit() throws {
        #expect(tables.map { $0.contents != nil } == [true, true, false])
        #expect(loaded.evictedCount == 1 && loaded.evictions == 0)
        let found = try walk()
        #expect(found.end.code == CFIC_STEP_TABLE_EVICTED.rawValue && found.frames.map(\.pc) == Self.whole)
        #expect(found.header.guessed_count == 0 && !found.end.isOutermost)
        let before = try walker.unwinder.counters()
        #expect(try walker.walk(Self.process, from: Self.code(2), stack.address).frames.count == 1)
        let after = try walker.unwinder.counters()
        #expect(after.lookups == before.lookups)
        #expect(
            after.ends[Int(CFIC_STEP_TABLE_EVICTED.rawValue)] == before.ends[Int(CFIC_STEP_TABLE_EVICTED.rawValue)] + 1)
    }

    /// Of a single thread, the counts are exact.
    @Test func usesOfTablesAreCounted() throws {
        func uses() -> [UInt32] { tables.map { memory.head($0.ranges[0].place).pointee.uses } }
        #expect(uses() == [0, 0, 0])
        for _ in 0..<5 { _ = try walk() }
        #expect(uses() == [5, 5, 5])
        try use(1, times: 3)
        #expect(uses() == [5, 8, 8])
    }

    @Test func neededTableTakesTheMemoryOfTheOneThatIsUsedLeast() throws {
        try use(0, times: 1)
        try use(1, times: 50)
        let address = memory.head(tables[0].ranges[0].place).pointee.rules
        // 51 walks ended for want of it, more than twice as many as went through the first table.
        let wanted = loaded.review(at: MonotonicClock.now)
        #expect(wanted.count == 1 && wanted.first === tables[2] && tables[2].isComing)
        reload(2)
        #expect(tables.map { $0.contents != nil } == [false, true, true])
        #expect(loaded.evictions == 1 && loaded.reloads == 1 && loaded.evictedCount == 1 && !tables[2].isComing)
        #expect(memory.usedBytes <= memory.tableLimit && address != 0)
        let cut = try walk()
        #expect(cut.end.code == CFIC_STEP_TABLE_EVICTED.rawValue && cut.frames.map(\.pc) == [Self.code(0)])
        let rest = try walker.walk(Self.process, from: Self.code(1) + 2, stack.address + 8)
        #expect(rest.frames.map(\.pc) == [Self.code(1) + 2, Self.code(2) + 3])
        #expect(rest.end.code == CFIC_STEP_ZERO_RETURN_ADDRESS.rawValue)
        #expect(walker.unwinder.memoryUse.evictions == 1 && walker.unwinder.memoryUse.reloads == 1)
    }

    /// Both others serve more samples.
    @Test func tableThatIsUsedLessStaysAway() throws {
        for _ in 0..<20 { _ = try walk() }
        #expect(loaded.review(at: MonotonicClock.now).isEmpty)
        reload(2)
        #expect(tables.map { $0.contents != nil } == [true, true, false] && loaded.evictions == 0)
        #expect(tables[2].rests > 0, "it isn't read again at once")
    }

    @Test func tableThatDidNotFitRestsForAWhile() throws {
        for _ in 0..<20 { _ = try walk() }
        let now = MonotonicClock.now
        #expect(loaded.review(at: now).isEmpty)
        reload(2)
        // Now it is worth more than the others.
        try use(2, times: 1000)
        #expect(loaded.review(at: now + 9_000_000_000).isEmpty)
        let wanted = loaded.review(at: now + 11_000_000_000)
        #expect(wanted.count == 1 && wanted.first === tables[2])
    }

    /// A few at a time, because reading takes memory and time.
    @Test func tablesThatAreNeededMostComeFirst() throws {
        let walker = try Walker { $0.tableBudget = 4 << 20 }
        let (memory, loaded) = (walker.unwinder.memory, walker.unwinder.images.tables)
        let made = try (0..<12).map { number in
            let function = MadeTable.Function(0x10_0000, length: 0x1000, every: 1, count: 0x1000) { 8 * ($0 % 300) + 8 }
            return try MadeTable([function], key: .buildID([UInt8(number + 100)]))
        }
        let filler = try memory.allocate(words: (memory.tableLimit - memory.usedBytes - 4096) / 4)
        let tables = try made.map { try loaded.load($0.view) }
        #expect(loaded.evictedCount == 12)
        try Self.publish(tables, by: walker)
        let uses = (0..<12).map { 5 * $0 % 12 + 2 }
        for (number, count) in uses.enumerated() {
            for _ in 0..<count { _ = try walker.walk(Self.process, from: Self.code(number), stack.address) }
        }
        memory.free(filler)
        let wanted = loaded.review(at: MonotonicClock.now)
        let keys = wanted.map(\.key)
        let expected = (0..<12).sorted { uses[$0] > uses[$1] }.prefix(8).map { tables[$0].key }
        #expect(keys == expected)
        // The others follow, but none is asked for twice.
        let rest = loaded.review(at: MonotonicClock.now + 2 * KernelTables.reviewPeriod)
        let all = Set(rest.map(\.key)).union(keys)
        #expect(rest.count == 4 && all.count == 12)
    }

    /// Each takes the memory of the one before, whose rules are different.
    @Test func noWalkIsWrongWhileTablesTakeTurns() throws {
        let stop = Atomic(false)
        nonisolated(unsafe) let (walker, stack) = (walker, stack)
        let outcome = Mutex<(wrong: [String], complete: Int, cut: Int)>(([], 0, 0))
        let thread = ThreadGroup(limit: 1)
        thread.start {
            var turn = 0
            while !stop.load(ordering: .relaxed) {
                turn += 1
                // Through all three tables, of which one is missing; or through two.
                let (first, sp, expected) =
                    turn % 2 == 0
                    ? (Self.code(0), stack.address, Self.whole)
                    : (Self.code(1) + 2, stack.address + 8, [Self.code(1) + 2, Self.code(2) + 3])
                guard let found = try? walker.walk(Self.process, from: first, sp) else { continue }
                let pcs = found.frames.map(\.pc)
                let isComplete = found.end.code == CFIC_STEP_ZERO_RETURN_ADDRESS.rawValue && pcs == expected
                let isCut =
                    found.end.code == CFIC_STEP_TABLE_EVICTED.rawValue && pcs == Array(expected.prefix(pcs.count))
                outcome.withLock {
                    $0.complete += isComplete ? 1 : 0
                    $0.cut += isCut ? 1 : 0
                    if !isComplete, !isCut { $0.wrong.append("\(found.end) \(pcs)") }
                }
            }
        }
        for turn in 0..<60 {
            tables[turn % 3].evict(from: memory)
            memory.reclaim()
            // It ended walks since it was evicted, so it has a use.
            tables[(turn + 2) % 3].noteUse(at: MonotonicClock.now, in: memory)
            reload((turn + 2) % 3)
            // A few walks between two evictions.
            let before = outcome.withLock { $0.complete + $0.cut }
            for _ in 0..<10_000 where outcome.withLock({ $0.complete + $0.cut < before + 4 && $0.wrong.isEmpty }) {
                usleep(1000)
            }
        }
        stop.store(true, ordering: .relaxed)
        thread.wait()
        let (wrong, complete, cut) = outcome.withLock { $0 }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        #expect(complete > 0 && cut > 0, "\(complete) \(cut)")
        #expect(loaded.reloads >= 59)
    }

    /// Without mappings, tables are of no use.
    @Test func mappingsTakeTheMemoryOfTables() throws {
        try use(1, times: 5)
        // Less than the mappings need.
        var spans: [Span] = []
        while let span = try? memory.allocate(words: 4096) { spans.append(span) }
        let mapping = PlacedMapping(start: 0x1000, end: 0x2000, bias: 0, range: 0)
        let many = (0..<2000).map { number in
            var mapping = mapping
            mapping.start += UInt64(number) * 0x1000
            mapping.end += UInt64(number) * 0x1000
            return mapping
        }
        try walker.unwinder.publish(Self.process - 1, many)
        #expect(walker.unwinder.isListed(Self.process - 1))
        #expect(tables.map { $0.contents != nil } == [false, true, false] && loaded.evictions == 1)
    }

    @Test func tableThatTheUserAddedStays() throws {
        let table = try Self.table(7, distance: 0)
        try walker.unwinder.addTable(table.view)
        #expect(loaded.evictions == 1 && loaded[table.view.key]?.contents != nil)
        #expect(!loaded.makeRoom(for: 8 << 20))
        #expect(loaded[table.view.key]?.contents != nil)
    }
}
