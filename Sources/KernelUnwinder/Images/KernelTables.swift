import CUnwindTable
import LinuxProcess
import TableSupply
import UnwindTable

/// The tables in kernel memory, by key. If they don't all fit, those stay that are used most.
final class KernelTables {
    private let memory: ElementMemory
    private let machine: TableMachine
    private var tables: [TableSource.Key: KernelTable] = [:]
    private var numbers = Numbers()
    /// The number of times that a table's contents were given up for others.
    private(set) var evictions = 0
    /// The number of times that a table's contents came back.
    private(set) var reloads = 0
    /// When the tables' use was last noted; CLOCK_MONOTONIC, in nanoseconds.
    private var reviewed: UInt64 = 0

    /// How often the use of tables is noted, in nanoseconds. It means a look at each range of each table.
    static let reviewPeriod: UInt64 = 1_000_000_000
    /// How long a table that didn't fit isn't read again, in nanoseconds.
    private static let rest: UInt64 = 10_000_000_000
    /// The most tables that are read again after a review.
    private static let comingLimit = 8
    /// Evictions after which a table must fit: free memory may be in pieces that are too small.
    private static let attempts = 3

    init(_ memory: ElementMemory, _ machine: TableMachine) {
        self.memory = memory
        self.machine = machine
    }

    subscript(key: TableSource.Key) -> KernelTable? { tables[key] }

    /// The number of tables, evicted ones included.
    var count: Int { tables.count }
    /// The number of those whose contents are evicted, or never fitted.
    var evictedCount: Int { tables.values.count { $0.contents == nil } }
    /// The total size of the tables whose contents are there, as files, in bytes.
    var fileBytes: Int { tables.values.reduce(0) { $0 + ($1.contents == nil ? 0 : $1.fileBytes) } }

    /// Adds a table. If there is no room for its contents, it begins as an evicted one.
    ///
    /// - Parameters:
    ///   - worth: how often walks already ended for want of it.
    ///   - stays: whether it must never be evicted, because it can't be read again.
    /// - Throws: ``KernelError``: it is for another machine, would not fit even alone, or can't stay.
    func load(_ view: TableView, worth: Double = 0, stays: Bool = false) throws(KernelError) -> KernelTable {
        guard view.machine == machine else { throw .otherMachine("\(view.machine)") }
        guard view.bytes.count <= memory.budget / 8 * 7 else { throw .overBudget(bytes: memory.budget) }
        let table: KernelTable
        do throws(KernelError) { table = try KernelTable(view, in: memory) } catch {
            guard makeRoom(for: view.ranges.count * MemoryLayout<cfic_loaded_range>.size) else { throw error }
            table = try KernelTable(view, in: memory)
        }
        table.stays = stays
        if fill(table, view, worth: stays ? .infinity : worth) {
            table.activate(in: memory)
        } else if stays {
            table.discard(in: memory)
            throw .overBudget(bytes: memory.limit)
        }
        tables[view.key] = table
        return table
    }

    /// Loads the contents of evicted tables again, if they are still worth it.
    ///
    /// - Parameter found: the tables, each with what was read of it.
    func reload(_ found: [(table: KernelTable, read: ProvedTable)]) {
        var filled: [KernelTable] = []
        for (table, read) in found {
            table.isComing = false
            // Nothing maps it any more, or it is there.
            guard tables[table.key] === table, table.contents == nil else { continue }
            let fits = read.withView { view in
                table.isSame(as: view) && fill(table, view, worth: table.use.amount)
            }
            if fits { filled.append(table) } else { table.rests = reviewed + Self.rest }
        }
        if filled.isEmpty { return }
        guard (try? memory.waitUntilVisible()) != nil, memory.waitForPrograms() else {
            for table in filled { table.discardContents(in: memory) }
            return
        }
        for table in filled { table.activate(in: memory) }
        reloads += filled.count
    }

    /// Removes a table that no published or superseded mappings lead to.
    func retire(_ table: KernelTable) {
        tables[table.key] = nil
        table.retire(from: memory)
    }

    /// Evicts tables, whatever they are worth, until mappings can take this many bytes.
    ///
    /// - Returns: whether there is room for them now, if it isn't in pieces.
    func makeRoom(for bytes: Int) -> Bool {
        memory.reclaim()
        let free = memory.limit - memory.usedBytes
        // More than needed: the next mappings will come soon.
        return evict(toFree: max(bytes, memory.limit / 64) - free, worth: .infinity)
    }

    // MARK: Use

    /// Notes how much tables were used, if the time has come.
    ///
    /// - Returns: evicted tables that should be read again, the most needed ones first.
    func review(at now: UInt64) -> [KernelTable] {
        guard now - min(reviewed, now) >= Self.reviewPeriod, needsReview else { return [] }
        reviewed = now
        memory.liftLimit()
        noteUses(at: now)
        let wanted = tables.values.filter { table in
            table.contents == nil && !table.isComing && table.use.amount >= 1 && table.rests <= now
                && victims(for: table.fileBytes, worth: table.use.amount) != nil
        }
        let most = wanted.sorted { $0.use.amount > $1.use.amount }.prefix(Self.comingLimit)
        for table in most { table.isComing = true }
        return Array(most)
    }

    /// Whether a table is missing, or soon may be.
    private var needsReview: Bool { 2 * memory.usedBytes > memory.limit || evictedCount > 0 }

    private func noteUses(at now: UInt64) { for table in tables.values { table.noteUse(at: now, in: memory) } }

    // MARK: Room

    /// Copies a table's contents into memory, and evicts others for it if it is worth that.
    private func fill(_ table: KernelTable, _ view: TableView, worth: Double) -> Bool {
        for attempt in 0..<Self.attempts {
            let bytes = view.bytes.count + attempt * (view.bytes.count / 2)
            guard let victims = victims(for: bytes, worth: worth) else { return false }
            evict(victims)
            do throws(KernelError) {
                try table.fill(view, &numbers, in: memory)
                return true
            } catch { continue }
        }
        return false
    }

    /// The tables to evict for one of this size; nil if that isn't worth it.
    private func victims(for bytes: Int, worth: Double) -> [KernelTable]? {
        let free = memory.tableLimit - memory.usedBytes + memory.retiredBytes
        if bytes <= free { return [] }
        return worth > 0 ? victims(toFree: bytes - free, worth: worth) : nil
    }

    private func victims(toFree bytes: Int, worth: Double) -> [KernelTable]? {
        noteUses(at: MonotonicClock.now)
        let loaded = tables.values.filter { $0.contents != nil && !$0.stays }
        return EvictionPlan.victims(
            toFree: bytes, from: loaded.map { EvictionPlan.Candidate(bytes: $0.bytes, use: $0.use) }, worth: worth
        )?.map { loaded[$0] }
    }

    private func evict(toFree bytes: Int, worth: Double) -> Bool {
        guard let victims = victims(toFree: bytes, worth: worth) else { return false }
        evict(victims)
        return true
    }

    private func evict(_ victims: [KernelTable]) {
        if victims.isEmpty { return }
        for table in victims { table.evict(from: memory) }
        evictions += victims.count
        memory.reclaim()
    }
}
