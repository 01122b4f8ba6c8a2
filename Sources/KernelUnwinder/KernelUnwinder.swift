import CUnwindTable
import Files
import Glibc
import LinuxProcess
import TableSupply
import UnwindTable

/// Unwinds stacks in the kernel: manages BPF programs, tables, processes and samples.
///
///     let unwinder = try KernelUnwinder(tables: CompilingSupply(store: TableStore()))
///     try unwinder.start(frequency: 99)
///     try unwinder.addProcess(pid)
///     while … {
///         unwinder.wait(milliseconds: 100)
///         _ = unwinder.update(unwinder.processEvents())
///         try unwinder.readSamples { sample in … }
///     }
///     unwinder.close()
///
/// Everything in the kernel disappears with this object or with the process: nothing is pinned. Not thread-safe.
public final class KernelUnwinder {
    let object: KernelObject
    /// What samples waits.
    let waits: WaitSampler?
    let memory: ElementMemory
    let images: MappedImages
    private let entries: ProcessEntries
    let options: Options
    let ring: RecordRing
    /// Nil if there are no snapshots.
    let snapshotRing: RecordRing?
    var events: ProcessEvents?
    var links: [OpaquePointer] = []
    /// Those of the event that triggers samples, by CPU.
    var cpuLinks: [Int32: OpaquePointer] = [:]
    /// The event that triggers samples, and how often; nil if running threads are not sampled.
    var sampled: (event: SamplingEvent, rate: SamplingRate)?
    var isWatching = false
    /// Whether something that could not wait ended the last wait.
    var wasWoken = false
    private var processes: [Int32: TrackedProcess] = [:]
    private var numbers = Numbers()
    /// What the plan of an update has to remember for the next ones.
    var planMemory = UpdatePlan.Memory()
    var pace = ReadingPace()
    /// Tracked processes that are still to be looked at, whether they live, and when some were.
    var unswept: [Int32] = []
    var lastSweep: UInt64 = 0
    /// Superseded mappings: the entries of children may still lead to them.
    private var superseded: [TrackedProcess] = []
    /// The words of memory that they take.
    private var supersededWords = 0
    /// What of it was still in use when unused mappings were last retired.
    private var supersededKept = (count: 0, words: 0)
    /// Words that superseded mappings may take before they are retired: a quarter of an element.
    private static let supersededLimit = Int(CFIC_ELEMENT_WORDS) / 4
    /// The mappings that unread samples may have been unwound with, by number.
    var readings = NumberedReadings<ProcessImages>()
    /// The most mappings of a process; less only in tests.
    var mappingLimit = PlacedProcess.mappingLimit
    /// Processes whose excess mappings have been reported.
    private var crowded: Set<Int32> = []
    /// Images that processes were expected to map, and that are kept for them until they end.
    var expected: [Int32: [MappedImage]] = [:]

    /// Loads the BPF programs into the kernel.
    ///
    /// - Parameters:
    ///   - tables: supplies the tables of mapped images.
    ///   - options: how stacks are sampled, and how much memory that may take.
    /// - Throws: ``KernelError``; nothing then remains in the kernel.
    public init(tables: any TableSupply, _ options: Options = Options()) throws(KernelError) {
        self.options = options
        object = try KernelObject(options, part: .sampling(options))
        memory = try ElementMemory(outer: object.map("element_maps"), budget: options.tableBudget)
        // Not `??`, whose error is of any type.
        let machine = if let other = options.lookupMachine { other } else { try Self.hostMachine }
        images = MappedImages(memory, machine, tables)
        memory.onRefusal = { [unowned memory, weak images] code in
            images?.onProblem(
                "the kernel gives no more memory for tables (\(systemMessage(code))): going on with "
                    + "\(memory.limit >> 20) MiB of it")
        }
        entries = ProcessEntries(map: try object.map("processes"), limit: options.usedProcessLimit)
        ring = try RecordRing(map: object.map("samples"))
        snapshotRing = options.usesSnapshots ? try RecordRing(map: object.map("snapshots")) : nil
        try options.filter.write(to: object)
        if let sampling = options.waits {
            waits = try WaitSampler(sampling, KernelObject(options, part: .waits, sharing: object))
        } else {
            waits = nil
        }
    }

    deinit { close() }

    /// The machine that this process runs on.
    public static var hostMachine: TableMachine {
        get throws(KernelError) {
            var name = utsname()
            uname(&name)
            let machine = withUnsafeBytes(of: name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard let found = TableMachine.allCases.first(where: { "\($0)" == machine }) else {
                throw .unsupportedMachine(machine)
            }
            return found
        }
    }

    // MARK: Tables

    /// Loads a table for all images with its key. Tables of images that processes map are loaded without this.
    ///
    /// - Parameter table: proved, because only `TableVerifier` creates views.
    /// - Returns: whether it wasn't loaded before.
    /// - Throws: ``KernelError/otherMachine(_:)``, ``KernelError/overBudget(bytes:)``,
    ///   ``KernelError/tableMemoryFull(bytes:)``.
    @discardableResult
    public func addTable(_ table: TableView) throws(KernelError) -> Bool { try images.add(table) }

    // MARK: Processes

    /// Starts sampling a process: reads its mappings, loads the tables, then publishes the mappings to the BPF
    /// programs. For a process that is already sampled, reads its mappings again.
    ///
    /// - Parameters:
    ///   - process: its id.
    ///   - waitsForTables: whether to make the tables that its images lack first. Otherwise they are made on another
    ///     thread, and ``update(_:sampled:)`` publishes them; until then stacks end at those images.
    /// - Returns: its mappings.
    /// - Throws: ``KernelError``; the previous state of the process remains.
    @discardableResult
    public func addProcess(_ process: Int32, waitsForTables: Bool = true) throws(KernelError) -> ProcessImages {
        let began = MonotonicClock.now
        defer { pace.note(process, from: began, to: MonotonicClock.now) }
        return try Self.readUntilUnchanged { () throws(KernelError) in
            try KernelError.ofProcess { () throws(ProcessError) in try MemoryMap(of: process) }
        } add: { map throws(KernelError) in
            try add(process, map, waitsForTables)
        }
    }

    /// Adds the mappings of a process and reads them again, until they don't change: if the process runs another
    /// executable meanwhile, it would be unwound with outdated mappings. The BPF programs detect a later exec
    /// themselves.
    static func readUntilUnchanged<Found>(
        _ read: () throws(KernelError) -> MemoryMap, add: (MemoryMap) throws(KernelError) -> Found
    ) throws(KernelError) -> Found {
        var map = try read()
        for _ in 0..<3 {
            let found = try add(map)
            let now = try read()
            if now.mappings == map.mappings { return found }
            map = now
        }
        return try add(map)
    }

    private func add(
        _ process: Int32, _ map: MemoryMap, _ waitsForTables: Bool
    ) throws(KernelError) -> ProcessImages {
        if memory.isNearlyFull, !superseded.isEmpty { retireUnused() }
        let before = processes[process]
        // The directory in /proc of its first thread is empty, so it ends when another thread ends.
        if map.thread != process { planMemory.withoutFirstThread.insert(process) }
        var found = ProcessImages(map, images, waitsForTables: waitsForTables)
        if let before, before.images.isSame(as: found), before.lacksNoNewTable {
            // After an exec that maps the same, the entry is 0.
            try entries.set(process, to: before.placed.place)
            return before.images
        }
        let placed = try publish(process, found.placedMappings)
        found.number = placed.number
        for image in found.images { image.users += 1 }
        if let before { supersede(before) }
        processes[process] = TrackedProcess(images: found, placed: placed)
        readings[placed.number] = found
        return found
    }

    /// Publishes mappings: writes them to memory, and then has the process's entry lead to them.
    @discardableResult
    func publish(_ process: Int32, _ mappings: [PlacedMapping]) throws(KernelError) -> PlacedProcess {
        let (kept, leftOut) = PlacedMapping.fitting(mappings, limit: mappingLimit)
        if leftOut > 0 { noteLeftOut(leftOut, of: process) }
        let placed = try place(kept)
        do throws(KernelError) {
            try memory.waitUntilVisible()
            try entries.set(process, to: placed.place)
        } catch {
            memory.free(placed.span)
            throw error
        }
        return placed
    }

    /// Writes mappings to memory, if need be to that of tables: without mappings, tables are of no use.
    private func place(_ mappings: [PlacedMapping]) throws(KernelError) -> PlacedProcess {
        let number = numbers.next()
        do throws(KernelError) { return try PlacedProcess(mappings, number: number, in: memory) } catch {
            guard images.tables.makeRoom(for: PlacedProcess.bytes(mappings.count)) else { throw error }
            return try PlacedProcess(mappings, number: number, in: memory)
        }
    }

    /// Reports, once for each process, that some of its mappings are left out.
    private func noteLeftOut(_ count: Int, of process: Int32) {
        guard crowded.insert(process).inserted else { return }
        images.onProblem(
            "process \(process) exceeds the limit of \(mappingLimit) executable mappings by \(count): "
                + "the smallest are ignored, and stacks end in them")
    }

    /// Starts sampling a process that is about to exec. Its mappings are unknown until then.
    public func expectProcess(_ process: Int32) throws(KernelError) { try entries.set(process, to: 0) }

    /// Publishes the mappings of all processes for which tables were made since their mappings were published.
    func publishMadeTables() {
        images.review(at: MonotonicClock.now, processes.values.lazy.map(\.pending).filter { !$0.isEmpty })
        if images.takeMadeTables().isEmpty { return }
        for (process, tracked) in processes where !tracked.lacksNoNewTable {
            // If it has ended, or executes another file, its events will say so.
            _ = try? addProcess(process, waitsForTables: false)
        }
    }

    /// Stops sampling a process.
    public func removeProcess(_ process: Int32) {
        entries.remove(process)
        stopTracking(process)
    }

    /// Supersedes the mappings of a process that has ended. Its entry stays: another process may have its id by now.
    func stopTracking(_ process: Int32) {
        planMemory.forget(process)
        crowded.remove(process)
        pace.forget(process)
        for image in expected.removeValue(forKey: process) ?? [] { image.users -= 1 }
        if let known = processes.removeValue(forKey: process) { supersede(known) }
    }

    /// Removes the mappings of all processes but these from the BPF programs.
    func forget(except kept: Set<Int32>) {
        var hasForgotten = false
        // Children get their parents' entries meanwhile, but only from parents that still have one.
        for _ in 0..<Self.forgettingLimit {
            let listed = entries.all().places.keys.filter { !kept.contains($0) }
            if listed.isEmpty { break }
            for process in listed { entries.remove(process) }
            hasForgotten = true
        }
        for (process, tracked) in processes where !kept.contains(process) {
            superseded.append(tracked)
            supersededWords += tracked.placed.span.count
            processes[process] = nil
            planMemory.forget(process)
            pace.forget(process)
            crowded.remove(process)
            hasForgotten = true
        }
        // It waits for BPF programs, and a round may have several losses.
        if hasForgotten { retireUnused() }
    }

    /// Generations of children that are born while their parents are forgotten.
    private static let forgettingLimit = 8

    /// The sampled processes whose mappings have been read.
    public var trackedProcesses: some Collection<Int32> { processes.keys }

    /// A process's mappings when they were last read.
    public func images(of process: Int32) -> ProcessImages? { processes[process]?.images }

    /// The mappings that samples with this ``Sample/mappings`` were unwound with; they may have been read from a
    /// process's parent. Nil for 0, and for mappings that have been out of use for some time.
    public func images(numbered number: UInt32) -> ProcessImages? { readings[number] }

    /// Whether a process is sampled, perhaps only because its parent was.
    package func isListed(_ process: Int32) -> Bool { place(of: process) != nil }

    /// Place of the process's `struct cfic_process`; 0 if the BPF programs have no mappings yet; nil if it isn't
    /// listed.
    func place(of process: Int32) -> UInt32? { entries.place(of: process) }

    private func supersede(_ process: TrackedProcess) {
        superseded.append(process)
        supersededWords += process.placed.span.count
        // Retiring waits for BPF programs, which takes milliseconds.
        if superseded.count >= supersededKept.count + 64
            || supersededWords >= supersededKept.words + Self.supersededLimit
        {
            retireUnused()
        }
    }

    /// Retires the superseded mappings that no entry leads to, and then the tables that no mappings lead to.
    func retireUnused() {
        // A BPF program that was copying a parent's entry has done so when this returns.
        guard memory.waitForPrograms() else { return }
        let (listed, isWhole) = self.listed()
        // Without all entries it isn't known which mappings are in use.
        guard isWhole else { return }
        let inUse = Set(listed.values)
        superseded.removeAll { process in
            guard !inUse.contains(process.placed.place) else { return false }
            for image in process.images.images { image.users -= 1 }
            readings.retire(process.placed.number)
            memory.retire([process.placed.span])
            return true
        }
        supersededWords = superseded.reduce(0) { $0 + $1.placed.span.count }
        supersededKept = (superseded.count, supersededWords)
        images.retireUnused()
    }

    /// The sampled processes, with the places of their mappings, and whether the list is complete: the BPF programs
    /// change the map meanwhile.
    func listed() -> (places: [Int32: UInt32], isWhole: Bool) { entries.all() }
}
