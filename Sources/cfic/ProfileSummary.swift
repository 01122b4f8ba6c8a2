import KernelUnwinder
import Profile

/// What a profile's run did, for standard error.
struct ProfileSummary {
    private let counters: Counters
    private let memory: KernelUnwinder.MemoryUse
    private let run: ProfileRun

    init(_ run: ProfileRun) throws {
        self.run = run
        counters = try run.recorder.unwinder.counters()
        memory = run.recorder.unwinder.memoryUse
    }

    func write() {
        let by = run.event == .cycles ? "hardware cycles" : "the CPU clock"
        Talk.say(
            "\(Quantity.count(counters.samples, "sample")) in \(Quantity.fixed(run.seconds, 1)) s by \(by), "
                + Quantity.count(counters.userFrames, "frame")
                + (counters.kernelFrames > 0 ? " and \(Quantity.count(counters.kernelFrames)) of the kernel" : ""))
        if counters.lost > 0 {
            Talk.say("\(Quantity.count(counters.lost, "sample")) lost: the ring buffer was full; try a lower -F")
        }
        writeEnds()
        Talk.say(
            "\(Quantity.count(counters.lookups, "lookup")) in \(Quantity.count(memory.tables, "table")), "
                + "\(Quantity.bytes(UInt64(memory.used))) of \(Quantity.bytes(UInt64(memory.mapped))) of kernel memory")
        if let problem = run.commandProblem { Talk.say(problem) }
    }

    private func writeEnds() {
        guard counters.samples > 0 else { return }
        line(counters.complete, "complete")
        line(counters.guessed, "to the outermost frame, in part by guesses")
        for (code, count) in counters.ends.enumerated() where !StackEnd(code: UInt32(code)).isOutermost {
            line(count, "truncated: \(StackEnd(code: UInt32(code)))")
        }
    }

    private func line(_ count: UInt64, _ text: String) {
        guard count > 0 else { return }
        let share = Quantity.percent(Double(count) / Double(counters.samples))
        Talk.say("  \(Quantity.count(count, "stack")) (\(share)) \(text)")
    }
}
