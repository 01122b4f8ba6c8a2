import KernelUnwinder
import Profile

/// The summary of a profiling run, for standard error.
struct ProfileSummary {
    private let counters: Counters
    private let totals: Stacks.Totals
    private let recording: Recording

    init(_ recording: Recording) throws(KernelError) {
        self.recording = recording
        counters = try recording.counters.get()
        totals = recording.stacks.totals
    }

    /// - Parameter includesStacks: whether to write what ``ProfileOverview`` tells, too.
    func write(includesStacks: Bool) {
        if includesStacks {
            writeSamples()
            writeLosses()
            writeEnds()
            writeTables()
        } else {
            writeLosses()
        }
        writeEvictions()
        if let problem = recording.commandEnd?.problem { Diagnostics.note(problem) }
    }

    private func writeSamples() {
        Diagnostics.note(
            Self.samples(recording, totals) + ", " + Quantity.count(totals.userFrames, "frame")
                + (totals.kernelFrames > 0 ? " and \(Quantity.count(totals.kernelFrames)) of the kernel" : ""))
        if recording.includesWaits { Diagnostics.note(Self.waits(totals)) }
    }

    /// How many samples of what there are.
    static func samples(_ recording: Recording, _ totals: Stacks.Totals) -> String {
        let by =
            switch recording.event {
            case .cycles: " by hardware cycles"
            case .clock: " by the CPU clock"
            case let event?: " by \(event.name)"
            case nil: ""
            }
        let each = recording.period.map { $0 > 1 ? ", each of \(Quantity.count($0))" : "" } ?? ""
        return "\(Quantity.count(totals.samples, "sample")) in \(Quantity.fixed(recording.seconds, 1)) s\(by)\(each)"
    }

    /// How long threads waited.
    static func waits(_ totals: Stacks.Totals) -> String {
        "\(Quantity.count(totals.waits, "sample")) of waits; all threads together waited "
            + "\(Quantity.fixed(totals.waited / 1e9, 1)) s"
    }

    private func writeTables() {
        if totals.inferredFrames > 0 {
            Diagnostics.note("  \(Quantity.count(totals.inferredFrames, "frame")) found by inferred rules")
        }
        if totals.finishedStacks > 0 {
            Diagnostics.note(
                "  \(Quantity.count(totals.finishedStacks, "stack")) finished in user space, by "
                    + Quantity.count(totals.finishedFrames, "frame"))
        }
        Diagnostics.note(
            "\(Quantity.count(counters.lookups, "lookup")) in \(Quantity.count(recording.memory.tables, "table")), "
                + "\(Quantity.bytes(UInt64(recording.memory.used))) of \(Quantity.bytes(UInt64(recording.memory.mapped))) of kernel memory"
        )
    }

    /// What was not sampled, or may be incomplete.
    private func writeLosses() {
        if counters.lost > 0 {
            Diagnostics.note(
                "\(Quantity.count(counters.lost, "sample")) lost in addition: the ring buffer was full; try a lower -F")
        }
        if counters.missed > 0 {
            Diagnostics.note(
                "\(Quantity.count(counters.missed, "event")) not sampled: another BPF program ran on the CPU")
        }
        if counters.unlisted > 0 {
            Diagnostics.note(
                "\(Quantity.count(counters.unlisted)) new processes not sampled: there are more than "
                    + "kernel.pid_max and kernel.threads-max allowed at the start")
        }
        if counters.lostProcessEvents > 0 {
            Diagnostics.note(
                "\(Quantity.count(counters.lostProcessEvents, "event")) of processes lost; their mappings were read again"
            )
        }
    }

    private func writeEvictions() {
        let memory = recording.memory
        guard memory.evictions > 0 || memory.evicted > 0 else { return }
        Diagnostics.note(
            "the limit of \(Quantity.bytes(UInt64(memory.budget))) was too low: "
                + "\(Quantity.count(memory.evictions, "table")) evicted, \(Quantity.count(memory.reloads)) read again, "
                + "\(Quantity.count(memory.evicted)) missing at the end; see --memory")
    }

    private func writeEnds() {
        line(totals.outcomes[.complete] ?? 0, "complete")
        line(totals.outcomes[.guessed] ?? 0, "reached the outermost frame, partly by guesses")
        for (end, count) in totals.ends.sorted(by: { $0.key.code < $1.key.code }) where !end.isOutermost {
            line(count, "truncated: \(end)")
        }
    }

    private func line(_ count: Int, _ text: String) {
        guard count > 0 else { return }
        let share = Quantity.percent(Double(count) / Double(totals.samples))
        Diagnostics.note("  \(Quantity.count(count, "stack")) (\(share)) \(text)")
    }
}
