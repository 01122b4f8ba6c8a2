import ArgumentParser
import KernelUnwinder

/// Options of `cfic profile` for waits.
struct OffCPUOptions: ParsableArguments {
    @Flag(
        name: .customLong("off-cpu"),
        help: "Sample where threads wait, weighted by nanoseconds; with -F also where they run.")
    var isOn = false

    @Option(
        name: .customLong("off-cpu-share"),
        help: ArgumentHelp(
            "Sample this random share of the waits, above 0 and up to 1; by default, as many as cost little.",
            valueName: "share"))
    var share: Double?

    @Option(
        name: .customLong("min-wait"), help: ArgumentHelp("Leave out shorter waits (default: 1).", valueName: "us"))
    var minimum: Double?

    func validate() throws {
        if !isOn, share != nil || minimum != nil {
            throw ValidationError("--off-cpu-share and --min-wait need --off-cpu.")
        }
        if let share, !(share > 0 && share <= 1) {
            throw ValidationError("--off-cpu-share takes a number above 0 and up to 1.")
        }
        if let minimum, !(minimum >= 0 && minimum <= 1e9) {
            throw ValidationError("--min-wait takes microseconds, from 0 to 1000000000.")
        }
    }

    /// Nil if waits are not sampled.
    var sampling: WaitSampling? {
        guard isOn else { return nil }
        var sampling = WaitSampling()
        sampling.share = share
        if let minimum { sampling.minimum = UInt64((minimum * 1000).rounded()) }
        return sampling
    }
}
