import CLibbpf
import CLinux
import CUnwindTable
import Glibc
import LinuxProcess

/// Samples and counters.
extension KernelUnwinder {
    /// The event that triggers samples.
    public enum Event: Sendable {
        /// Hardware cycles if they are available, else the clock.
        case cycles
        /// CPU time.
        case clock
    }

    /// Starts sampling on all CPUs, and watching processes.
    ///
    /// - Parameters:
    ///   - event: triggers samples.
    ///   - frequency: samples per second on each CPU, at least 1.
    /// - Returns: the event in use: the clock if hardware cycles are not available.
    @discardableResult
    public func start(_ event: Event, frequency: Int) throws(KernelError) -> Event {
        try watchProcesses()
        let program = try object.program("profile_\(try Self.hostMachine.programSuffix)")
        var event = event
        var attached = 0
        for cpu in OnlineCPUs.list {
            var descriptor = perf_open_sampling(cpu, event == .cycles ? 1 : 0, UInt64(frequency))
            if descriptor < 0, event == .cycles, attached == 0 {
                event = .clock
                descriptor = perf_open_sampling(cpu, 0, UInt64(frequency))
            }
            if descriptor == -ENODEV { continue }
            guard descriptor >= 0 else { throw samplingFailure(-descriptor, frequency) }
            // The link now owns the descriptor.
            guard let link = bpf_program__attach_perf_event(program, descriptor) else {
                let code = errno
                Glibc.close(descriptor)
                throw .system("attaching the program on CPU \(cpu)", errno: code)
            }
            links.append(link)
            attached += 1
            let status = perf_enable(descriptor, 1)
            guard status == 0 else { throw .system("starting to sample on CPU \(cpu)", errno: -status) }
        }
        return event
    }

    private func samplingFailure(_ code: Int32, _ frequency: Int) -> KernelError {
        let limit = SystemFile.firstLine("/proc/sys/kernel/perf_event_max_sample_rate").flatMap { Int($0) }
        if code == EINVAL, let limit, frequency > limit {
            return .system(
                "sampling \(frequency) times a second (/proc/sys/kernel/perf_event_max_sample_rate is \(limit))",
                errno: code)
        }
        return code == EACCES || code == EPERM
            ? .notPermitted(
                "the kernel does not let this user sample: CAP_PERFMON is missing, and "
                    + "/proc/sys/kernel/perf_event_paranoid is above 0")
            : .system("opening a sampling event", errno: code)
    }

    /// Starts sampling waits, and watching processes. Requires ``Options/waits``.
    public func startWaits() throws(KernelError) {
        guard let waits else { return }
        try watchProcesses()
        links.append(try waits.attach())
    }

    /// Whether a thread still waits, of whose wait there was a sample at this time.
    public func isWaiting(_ thread: Int32, since began: UInt64) -> Bool { waits?.began(thread) == began }

    /// Starts watching processes: fork and exec in the kernel, so that no sample is unwound with outdated mappings, and
    /// mappings through `processEvents`.
    public func watchProcesses() throws(KernelError) {
        if isWatching { return }
        if events == nil {
            events = try KernelError.ofProcess { () throws(ProcessError) in try ProcessEvents(cpus: OnlineCPUs.list) }
        }
        for name in ["follow_fork", "follow_exec"] {
            guard let link = bpf_program__attach(try object.program(name)) else {
                throw .system("attaching the program \(name)", errno: errno)
            }
            links.append(link)
        }
        isWatching = true
    }

    /// The number of CPUs that are sampled.
    public static var onlineCPUCount: Int { OnlineCPUs.list.count }

    /// Stops sampling and watching. Samples already taken can still be read.
    public func stop() {
        for link in links { bpf_link__destroy(link) }
        links = []
        isWatching = false
    }

    /// Waits until the time is over, another descriptor is readable, or something can't wait: an event of a process, a
    /// table that was made, or a ring buffer that is half full. Samples can wait.
    ///
    /// Never returns sooner than after 4 ms, but for the other descriptor: on a busy machine, processes map files
    /// thousands of times a second.
    public func wait(milliseconds: Int32, or other: Int32 = -1) {
        let pause = min(milliseconds, Self.pause)
        if Self.poll([other], pause) { return }
        _ = Self.poll([other, ring.descriptor, images.descriptor] + (events?.descriptors ?? []), milliseconds - pause)
    }

    /// In milliseconds. A process lives that long without its new mappings.
    private static let pause: Int32 = 4

    /// Whether any of the descriptors is readable before the time is over.
    private static func poll(_ descriptors: [Int32], _ milliseconds: Int32) -> Bool {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        return Glibc.poll(&polled, nfds_t(polled.count), milliseconds) > 0
    }

    /// The events of all processes since the last call.
    public func processEvents() -> [ProcessEvent] { events?.read() ?? [] }

    /// Calls `body` with each available sample.
    ///
    /// - Parameters:
    ///   - body: receives the samples in the order in which they were taken on a CPU.
    ///   - wait: receives the ends of waits. A wait's sample comes before its end, and a thread's next sample after it.
    /// - Returns: the number of samples and of ends of waits.
    @discardableResult
    public func readSamples(_ body: (Sample) -> Void, wait: (Wait) -> Void = { _ in }) throws(KernelError) -> Int {
        defer { waits?.endRound() }
        return try ring.read { bytes in
            if let sample = Sample(bytes) {
                waits?.note(sample)
                body(sample)
            } else if let end = Wait(bytes) {
                wait(end)
            }
        }
    }

    /// Calls `body` with each available snapshot. Those of all samples that were read before are available.
    package func readSnapshots(_ body: (StackSnapshot) -> Void) throws(KernelError) {
        try snapshotRing?.read { bytes in if let snapshot = StackSnapshot(bytes) { body(snapshot) } }
    }

    /// The current values of the BPF programs' counters.
    public func counters() throws(KernelError) -> Counters {
        var sum = Counters()
        for object in [object, waits?.object].compactMap(\.self) { try Self.add(countersOf: object, to: &sum) }
        return sum
    }

    private static func add(countersOf object: KernelObject, to sum: inout Counters) throws(KernelError) {
        let cpus = Int(libbpf_num_possible_cpus())
        guard cpus > 0 else { throw .system("counting CPUs", errno: Int32(-cpus)) }
        var values = Array(repeating: cfic_counters(), count: cpus)
        var zero: UInt32 = 0
        let status = bpf_map_lookup_elem(try object.map("counters"), &zero, &values)
        guard status == 0 else { throw .system("reading counters", errno: -status) }
        for value in values { sum.add(value) }
    }

    /// Kernel memory used for tables and mappings.
    public struct MemoryUse: Sendable {
        /// ``Options/tableBudget``
        public var budget: Int
        /// Bytes of created elements.
        public var mapped: Int
        /// Bytes of them that are in use.
        public var used: Int
        /// Number of tables that processes need, evicted ones included.
        public var tables: Int
        /// The number of those that are evicted, or never fitted.
        public var evicted: Int
        /// Total size of the other tables as files, in bytes.
        public var fileBytes: Int
        /// How often a table was evicted.
        public var evictions: Int
        /// How often an evicted table came back.
        public var reloads: Int
        /// How often the kernel refused more memory.
        public var refusals: Int
    }

    /// The kernel memory that tables and mappings take now.
    public var memoryUse: MemoryUse {
        MemoryUse(
            budget: memory.budget, mapped: memory.mappedBytes, used: memory.usedBytes, tables: images.tables.count,
            evicted: images.tables.evictedCount, fileBytes: images.tables.fileBytes,
            evictions: images.tables.evictions, reloads: images.tables.reloads, refusals: memory.refusals)
    }

    /// Stops sampling. The BPF programs and maps disappear with the object.
    public func close() {
        stop()
        images.close()
        events = nil
    }
}
