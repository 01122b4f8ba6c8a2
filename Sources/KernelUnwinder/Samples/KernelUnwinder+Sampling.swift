import CLibbpf
import CLinux
import CUnwindTable
import Glibc
import LinuxProcess

/// Samples and counters.
extension KernelUnwinder {
    /// Starts sampling on all CPUs, and watching processes.
    ///
    /// - Parameters:
    ///   - event: triggers samples. For a tracepoint, the unwinder must have been made with
    ///     ``Options/tracepointPeriod``, else without it.
    ///   - frequency: samples per second on each CPU, at least 1.
    /// - Throws: ``KernelError``, such as ``KernelError/noSuchEvent(_:)``.
    public func start(_ event: SamplingEvent = .best, frequency: Int) throws(KernelError) {
        try start(event, .frequency(frequency))
    }

    /// Starts sampling on all CPUs, and watching processes.
    ///
    /// - Parameters:
    ///   - event: triggers samples. For a tracepoint, the unwinder must have been made with
    ///     ``Options/tracepointPeriod``, else without it.
    ///   - rate: how often. Ignored for a tracepoint.
    /// - Throws: ``KernelError``, such as ``KernelError/noSuchEvent(_:)``.
    public func start(_ event: SamplingEvent, _ rate: SamplingRate) throws(KernelError) {
        guard (event.kind == .tracepoint) == samplesTracepoint else {
            throw .system("sampling \(event.name), for which the BPF program was not loaded", errno: EINVAL)
        }
        try watchProcesses()
        sampled = (event, rate)
        for cpu in OnlineCPUs.list {
            let isAttached = try attach(to: event, rate, cpu)
            // The kernel runs the program of a tracepoint on all CPUs, whichever the event belongs to.
            if isAttached, event.kind == .tracepoint { return }
        }
    }

    static let eventProgram = "profile", tracepointProgram = "tracepoint"

    /// Opens an event on a CPU and attaches its BPF program.
    ///
    /// - Returns: whether the CPU is still online.
    private func attach(to event: SamplingEvent, _ rate: SamplingRate, _ cpu: Int32) throws(KernelError) -> Bool {
        let name = event.kind == .tracepoint ? Self.tracepointProgram : Self.eventProgram
        let program = try object.program("\(name)_\(try Self.hostMachine.programSuffix)")
        let descriptor = event.open(cpu: cpu, rate)
        if descriptor == -ENODEV { return false }
        guard descriptor >= 0 else { throw Self.samplingFailure(-descriptor, event, rate) }
        // The link now owns the descriptor.
        guard let link = bpf_program__attach_perf_event(program, descriptor) else {
            let code = errno
            Glibc.close(descriptor)
            throw .system("attaching the program on CPU \(cpu)", errno: code)
        }
        cpuLinks[cpu] = link
        let status = perf_enable(descriptor, 1)
        guard status == 0 else { throw .system("starting to sample on CPU \(cpu)", errno: -status) }
        return true
    }

    private static func samplingFailure(_ code: Int32, _ event: SamplingEvent, _ rate: SamplingRate) -> KernelError {
        let limit = SystemFile.firstLine("/proc/sys/kernel/perf_event_max_sample_rate").flatMap { Int($0) }
        if code == EINVAL, let limit, case .frequency(let frequency) = rate, frequency > limit {
            return .system(
                "sampling \(frequency) times a second (/proc/sys/kernel/perf_event_max_sample_rate is \(limit))",
                errno: code)
        }
        if event.kind != .tracepoint, SamplingEvent.isMissing(code) { return .noSuchEvent(event) }
        return code == EACCES || code == EPERM
            ? .notPermitted(
                "the kernel does not let this user sample: CAP_PERFMON is missing, and "
                    + "/proc/sys/kernel/perf_event_paranoid is above 0")
            : .system("opening the event \(event.name)", errno: code)
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
            // If everyone is sampled, new mappings are needed only to finish stacks when samples are read.
            let canWait = options.samplesEveryone
            events = try KernelError.ofProcess { () throws(ProcessError) in
                try ProcessEvents(cpus: OnlineCPUs.list, canWait: canWait)
            }
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
        for link in links + cpuLinks.values { bpf_link__destroy(link) }
        (links, cpuLinks, sampled) = ([], [:], nil)
        isWatching = false
    }

    /// Waits until the time is over, another descriptor is readable, or something can't wait: an event of a process
    /// (not if everyone is sampled), a table that was made, or a ring buffer that is half full. Samples can wait.
    ///
    /// Returns for what can't wait at most once in 4 ms: on a busy machine, processes map files thousands of times a
    /// second.
    public func wait(milliseconds: Int32, or other: Int32 = -1) {
        // One wake-up, not two, where the last wait lasted until its time was over.
        let pause = wasWoken ? min(milliseconds, Self.pause) : 0
        wasWoken = false
        if pause > 0, Self.poll([other], pause) { return }
        let rings = [ring.descriptor, snapshotRing?.descriptor ?? -1] + (events?.descriptors ?? [])
        wasWoken = Self.poll([other, images.descriptor] + rings, milliseconds - pause)
    }

    /// In milliseconds. A process lives that long without its new mappings.
    private static let pause: Int32 = 4

    /// Whether any of the descriptors is readable before the time is over.
    private static func poll(_ descriptors: [Int32], _ milliseconds: Int32) -> Bool {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        return Glibc.poll(&polled, nfds_t(polled.count), milliseconds) > 0
    }

    /// The events of all processes since the last call.
    public func processEvents() -> [ProcessEvent] {
        guard let events else { return [] }
        if isWatching { renewEvents(events) }
        return events.read()
    }

    /// Goes on on CPUs that come online.
    private func renewEvents(_ events: ProcessEvents) {
        let (opened, ended) = events.renew()
        for cpu in ended { images.onProblem("CPU \(cpu) went offline, and was not sampled until it was back") }
        // The event of a tracepoint is not one of its CPU.
        guard let (event, rate) = sampled, event.kind != .tracepoint else { return }
        for cpu in ended { if let link = cpuLinks.removeValue(forKey: cpu) { bpf_link__destroy(link) } }
        for cpu in opened {
            do throws(KernelError) { _ = try attach(to: event, rate, cpu) } catch { images.onProblem("\(error)") }
        }
    }

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
        if samplesTracepoint { sum.missed = try missedHits() }
        sum.lostProcessEvents = events?.lostCount ?? 0
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

    /// How often the kernel left out the BPF program of a tracepoint.
    private func missedHits() throws(KernelError) -> UInt64 {
        let name = "\(Self.tracepointProgram)_\(try Self.hostMachine.programSuffix)"
        var info = bpf_prog_info(), size = UInt32(MemoryLayout<bpf_prog_info>.size)
        let status = bpf_obj_get_info_by_fd(bpf_program__fd(try object.program(name)), &info, &size)
        guard status == 0 else { throw .system("reading counters", errno: -status) }
        return info.recursion_misses
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
