import CLibbpf
import CUnwindTable
import ELF
import Glibc
import LinuxProcess
import TableSupply
import UnwindTable

/// Unwinds stacks in the kernel: programs, tables, processes and samples.
///
///     let unwinder = try KernelUnwinder(tables: CompilingSupply(store: TableStore()))
///     try unwinder.start(.cycles, frequency: 99)
///     try unwinder.addProcess(pid)
///     while … {
///         unwinder.wait(milliseconds: 100)
///         _ = unwinder.update(unwinder.processEvents())
///         try unwinder.readSamples { sample in … }
///     }
///     unwinder.close()
///
/// Everything in the kernel goes with the object, or with the process: nothing is pinned. Not thread-safe.
public final class KernelUnwinder {
    public struct Options: Sendable {
        /// Whether samples that interrupt the kernel have its frames, too.
        public var kernelFrames = true
        /// Whether processes that a process makes have samples taken, too.
        public var followsChildren = true
        /// Processes at once.
        public var processLimit = 4096
        /// Bytes of the ring buffer of samples: a power of two, at least a page.
        public var sampleBytes = 1 << 20
        /// Bytes of kernel memory that tables and mappings may take. Maps are made as they are needed, 4 MiB each.
        public var tableBudget = 1 << 30
        /// Whether to load the programs that look up and walk on request (cfic/batch.h), too: for tests and benchmarks.
        package var batches = false

        public init() {}
    }

    let object: KernelObject
    let memory: ElementMemory
    let images: MappedImages
    private let processMap: Int32
    private let options: Options
    let ring: SampleRing
    var events: ProcessEvents?
    var links: [OpaquePointer] = []
    var isWatching = false
    private var processes: [Int32: TrackedProcess] = [:]
    private var numbers = Numbers()
    /// What updates leave for the next ones.
    var planMemory = UpdatePlan.Memory()
    /// Superseded mappings: the entries of children may still lead to them.
    private var superseded: [TrackedProcess] = []
    /// What samples may have been unwound by.
    var readings = NumberedReadings<ProcessImages>()
    /// Processes with more mappings than fit, of which that was said.
    private var crowded: Set<Int32> = []

    /// Loads the programs into the kernel.
    ///
    /// - Parameters:
    ///   - tables: where the tables of mapped images come from.
    ///   - options: how stacks are sampled, and how much memory that may take.
    /// - Throws: ``KernelError``, with nothing left behind in the kernel.
    public init(tables: any TableSupply, _ options: Options = Options()) throws(KernelError) {
        self.options = options
        object = try KernelObject(options)
        memory = try ElementMemory(outer: object.map("element_maps"), budget: options.tableBudget)
        images = MappedImages(memory, try Self.hostMachine, tables)
        processMap = try object.map("processes")
        ring = try SampleRing(map: object.map("samples"))
    }

    deinit { close() }

    /// The machine that this runs on.
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

    /// The programs as an object file (ELF, BPF), for whoever loads them otherwise.
    public static var objectFile: [UInt8] { KernelObject.bytes }

    /// The running kernel's release, as uname(2) has it.
    public static var kernelRelease: String { LoadCheck.release }

    /// What it took the verifier to prove each program.
    public var verifiedPrograms: [VerifiedProgram] { object.verified }

    var followsChildren: Bool { options.followsChildren }

    /// Called with problems that don't end anything, in words.
    public var onProblem: (String) -> Void {
        get { images.onProblem }
        set { images.onProblem = newValue }
    }

    // MARK: Tables

    /// Loads a table, which any image with its key will use. Tables of what processes map come by themselves.
    ///
    /// - Parameter table: proved, which only `TableVerifier` can say.
    /// - Returns: whether it was not there yet.
    /// - Throws: ``KernelError/otherMachine(_:)``, ``KernelError/overBudget(bytes:)``,
    ///   ``KernelError/tableMemoryFull(bytes:)``.
    @discardableResult
    public func addTable(_ table: TableView) throws(KernelError) -> Bool { try images.add(table) }

    // MARK: Processes

    /// Has samples taken of a process: reads what it maps, loads the tables, and then tells the programs. Of a process
    /// that is there already, reads anew.
    ///
    /// - Returns: what it maps.
    /// - Throws: ``KernelError``; what was known of the process before stays.
    @discardableResult
    public func addProcess(_ process: Int32) throws(KernelError) -> ProcessImages {
        try Self.readUntilUnchanged { () throws(KernelError) in
            try KernelError.ofProcess { () throws(ProcessError) in try MemoryMap(of: process) }
        } add: { map throws(KernelError) in
            try add(process, map)
        }
    }

    /// Adds what a process maps, and reads again: a process may run another program while it is read, and would be
    /// unwound by what it no longer maps. When it does so afterwards, the programs see it.
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

    private func add(_ process: Int32, _ map: MemoryMap) throws(KernelError) -> ProcessImages {
        if memory.isNearlyFull, !superseded.isEmpty { retireUnused() }
        let before = processes[process]
        // Without its first thread, it ends with another one.
        if map.thread != process { planMemory.withoutFirstThread.insert(process) }
        var found = ProcessImages(map, images)
        if let before, before.images.isSame(as: found) {
            // After an exec that maps the same, the entry is 0.
            try setEntry(of: process, to: before.placed.place)
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
        let (kept, leftOut) = PlacedMapping.fitting(mappings, limit: PlacedProcess.mappingLimit)
        if leftOut > 0 { noteLeftOut(leftOut, of: process) }
        let placed = try PlacedProcess(kept, number: numbers.next(), in: memory)
        do throws(KernelError) {
            try memory.waitUntilVisible()
            try setEntry(of: process, to: placed.place)
        } catch {
            for span in placed.spans { memory.free(span) }
            throw error
        }
        return placed
    }

    /// Says once of a process that not all of its mappings are unwound.
    private func noteLeftOut(_ count: Int, of process: Int32) {
        guard crowded.insert(process).inserted else { return }
        images.onProblem(
            "process \(process) has \(count) executable mappings more than the limit of "
                + "\(PlacedProcess.mappingLimit): the smallest are left out, and stacks end there")
    }

    /// Has samples taken of a process that is about to run another program: nothing is known of it until then.
    public func expectProcess(_ process: Int32) throws(KernelError) { try setEntry(of: process, to: 0) }

    /// Ends taking samples of a process.
    public func removeProcess(_ process: Int32) {
        var key = process
        bpf_map_delete_elem(processMap, &key)
        stopTracking(process)
    }

    /// Supersedes the mappings of a process that has ended. Its entry stays: another process may have its id by now.
    func stopTracking(_ process: Int32) {
        planMemory.withoutFirstThread.remove(process)
        planMemory.justBegun[process] = nil
        crowded.remove(process)
        if let known = processes.removeValue(forKey: process) { supersede(known) }
    }

    /// Processes that samples are taken of.
    public var trackedProcesses: some Collection<Int32> { processes.keys }

    /// What a process maps, as of when it was last read.
    public func images(of process: Int32) -> ProcessImages? { processes[process]?.images }

    /// What samples of this ``Sample/mappings`` were unwound by, be it of a process that made theirs. Nil of 0, and of
    /// what has not been in use for long.
    public func images(numbered number: UInt32) -> ProcessImages? { readings[number] }

    /// Whether samples are taken of a process, be it only because its parent was listed.
    public func isListed(_ process: Int32) -> Bool { place(of: process) != nil }

    /// Of what the programs know of it; 0 if they know nothing yet.
    func place(of process: Int32) -> UInt32? {
        var (key, value) = (process, UInt32(0))
        return bpf_map_lookup_elem(processMap, &key, &value) == 0 ? value : nil
    }

    /// - Parameter place: 0 of a process whose mappings are not known.
    private func setEntry(of process: Int32, to place: UInt32) throws(KernelError) {
        var (key, value) = (process, place)
        let status = bpf_map_update_elem(processMap, &key, &value, 0)
        if status == -E2BIG { throw .tooManyProcesses(limit: options.processLimit) }
        guard status == 0 else { throw .system("adding process \(process)", errno: -status) }
    }

    private func supersede(_ process: TrackedProcess) {
        superseded.append(process)
        // Retiring waits for BPF programs, which takes milliseconds.
        if superseded.count >= 64 { retireUnused() }
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
            memory.retire(process.placed.spans)
            return true
        }
        images.retireUnused()
    }

    /// Processes that samples are taken of, and the places of what they map; and whether these are all: the kernel's
    /// programs change the map meanwhile.
    func listed() -> (places: [Int32: UInt32], isWhole: Bool) {
        var places: [Int32: UInt32] = [:]
        var (key, next, value) = (Int32(0), Int32(0), UInt32(0))
        var isFirst = true
        // A map that changes meanwhile may begin again: never more turns than there can be entries.
        for _ in 0..<2 * options.processLimit {
            let status =
                isFirst
                ? bpf_map_get_next_key(processMap, nil, &next) : bpf_map_get_next_key(processMap, &key, &next)
            guard status == 0 else { return (places, status == -ENOENT) }
            if bpf_map_lookup_elem(processMap, &next, &value) == 0 { places[next] = value }
            (key, isFirst) = (next, false)
        }
        return (places, false)
    }
}

private struct TrackedProcess {
    var images: ProcessImages
    var placed: PlacedProcess
}
