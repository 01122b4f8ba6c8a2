import ArgumentParser

/// Which processes are sampled.
struct ProcessOptions: ParsableArguments {
    @Option(
        name: [.customShort("p"), .customLong("pid")],
        help: ArgumentHelp("A process to sample; may be repeated.", valueName: "pid"),
        completion: Completions.processes)
    var ids: [Int32] = []

    @Flag(
        name: [.customShort("a"), .customLong("all")],
        help: "Sample all processes and kernel threads; the default if nothing else is specified.")
    var everyone = false
}
