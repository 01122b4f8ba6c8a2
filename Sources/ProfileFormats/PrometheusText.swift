import KernelUnwinder
import Profile

/// Counters in Prometheus's text exposition format: docs/counters.md.
struct PrometheusText {
    private(set) var text = ""

    private enum Kind: String { case counter, gauge }

    init(_ counters: RecordingCounters) {
        let kernel = counters.kernel
        let groups = CounterGroups(counters)
        add("sampling_seconds_total", .counter, "Time since sampling began.", counters.seconds)
        add("samples_total", .counter, "Samples that were taken, including lost ones.", kernel.samples)
        add("samples_lost_total", .counter, "Samples for which the ring buffer had no room.", kernel.lost)
        add("events_missed_total", .counter, "Hits of a tracepoint inside of another BPF program.", kernel.missed)
        add(
            "process_events_lost_total", .counter, "Events of processes for which the kernel had no room.",
            kernel.lostProcessEvents)
        add("snapshots_total", .counter, "Snapshots of registers and stack that were given out.", kernel.snapshots)
        add("snapshots_lost_total", .counter, "Snapshots for which the ring buffer had no room.", kernel.lostSnapshots)
        add("stacks_total", .counter, "Samples by what the kernel found of their stack.", "outcome", groups.stacks)
        add("stack_ends_total", .counter, "Samples by how the kernel's walk ended.", "end", groups.ends)
        add("frames_total", .counter, "Frames of all samples.", "kind", groups.frames)
        add("stacks_finished_total", .counter, "Stacks that were finished in user space.", counters.finished.stacks)
        if let waits = counters.waits {
            add("waits_total", .counter, "Samples of waits that have ended.", waits.samples)
            add("wait_seconds_total", .counter, "How long all threads waited, estimated.", waits.nanoseconds / 1e9)
        }
        add("lookups_total", .counter, "Lookups in tables and in mappings.", "of", groups.lookups)
        add("memory_reads_total", .counter, "Reads of user memory.", "kind", groups.reads)
        if let requests = groups.tableRequests {
            add("table_requests_total", .counter, "Requests for an image's table.", "outcome", requests)
        }
        add("tables", .gauge, "Tables that processes need, by where they are.", "state", groups.tables)
        add("table_evictions_total", .counter, "How often a table was evicted.", counters.memory.evictions)
        add("table_reloads_total", .counter, "How often an evicted table came back.", counters.memory.reloads)
        add("table_memory_refusals_total", .counter, "How often the kernel gave no memory.", counters.memory.refusals)
        add("table_memory_used_bytes", .gauge, "Kernel memory in use for tables and mappings.", counters.memory.used)
        add("table_memory_bytes", .gauge, "Kernel memory allocated for tables and mappings.", counters.memory.mapped)
        add("table_memory_limit_bytes", .gauge, "The most that may be allocated for them.", counters.memory.budget)
        add(
            "ring_buffer_bytes", .gauge, "Sizes of the ring buffers.", "of",
            [("samples", counters.sampleRingBytes), ("snapshots", counters.snapshotRingBytes)])
        if let resident = counters.residentBytes {
            add("resident_memory_bytes", .gauge, "Resident memory of cfic in user space.", resident)
        }
        add(
            "processes", .gauge, "Sampled processes, by whether their mappings are known.", "mappings", groups.processes
        )
        add("processes_refused_total", .counter, "New processes beyond the limit, not sampled.", kernel.unlisted)
        if let audit = counters.audit {
            add(
                "audit_stacks_total", .counter, "Compared stacks.", "result",
                [("agrees", audit.agreeingStacks), ("disagrees", audit.disagreeingStacks)])
            add(
                "audit_frames_total", .counter, "Compared frames.", "result",
                [("agrees", audit.frames.agreeing), ("disagrees", audit.frames.disagreeing)])
            add(
                "audit_finished_frames_total", .counter, "Compared frames that were found in user space.", "result",
                [("agrees", audit.finishedFrames.agreeing), ("disagrees", audit.finishedFrames.disagreeing)])
        }
    }

    private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ number: some Numeric) {
        describe(name, kind, help)
        text += "cfic_\(name) \(number)\n"
    }

    /// Labels are names of this project, which need no escapes.
    private mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ label: String, _ group: CounterGroups.Group<some Numeric>
    ) {
        describe(name, kind, help)
        for (value, number) in group { text += "cfic_\(name){\(label)=\"\(value)\"} \(number)\n" }
    }

    private mutating func describe(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP cfic_\(name) \(help)\n# TYPE cfic_\(name) \(kind.rawValue)\n"
    }
}
