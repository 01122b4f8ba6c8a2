import KernelUnwinder
import Profile

/// What a profile's run did, for standard error.
struct ProfileSummary {
    private let counters: Counters
    private let totals: Stacks.Totals
    private let memory: KernelUnwinder.MemoryUse
    private let run: ProfileRun

    init(_ run: ProfileRun) throws {
        self.run = run
        counters = try run.recorder.unwinder.counters()
        totals = run.recorder.stacks.totals
        memory = run.recorder.unwinder.memoryUse
    }

    func write() {
        let by = run.event == .cycles ? "hardware cycles" : "the CPU clock"
        Talk.say(
            "\(Quantity.count(totals.samples, "sample")) in \(Quantity.fixed(run.seconds, 1)) s by \(by), "
                + Quantity.count(totals.userFrames, "frame")
                + (totals.kernelFrames > 0 ? " and \(Quantity.count(totals.kernelFrames)) of the kernel" : ""))
        if counters.lost > 0 {
            Talk.say(
                "\(Quantity.count(counters.lost, "sample")) lost besides: the ring buffer was full; try a lower -F")
        }
        writeEnds()
        Talk.say(
            "\(Quantity.count(counters.lookups, "lookup")) in \(Quantity.count(memory.tables, "table")), "
                + "\(Quantity.bytes(UInt64(memory.used))) of \(Quantity.bytes(UInt64(memory.mapped))) of kernel memory")
        if let problem = run.commandProblem { Talk.say(problem) }
    }

    private func writeEnds() {
        line(totals.outcomes[.complete] ?? 0, "complete")
        line(totals.outcomes[.guessed] ?? 0, "to the outermost frame, in part by guesses")
        for (end, count) in totals.ends.sorted(by: { $0.key.code < $1.key.code }) where !end.isOutermost {
            line(count, "truncated: \(end)")
        }
    }

    private func line(_ count: Int, _ text: String) {
        guard count > 0 else { return }
        let share = Quantity.percent(Double(count) / Double(totals.samples))
        Talk.say("  \(Quantity.count(count, "stack")) (\(share)) \(text)")
    }
}
