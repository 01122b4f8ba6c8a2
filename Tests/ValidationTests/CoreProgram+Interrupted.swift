/// Stacks interrupted by signals, and stacks of several threads.
extension CoreProgram {
    static let interrupted = [signalLeaf, signalAltstack, threads]

    static let signalLeaf = Self(
        "signal-leaf", source: "signal-leaf.c",
        stops: ["first-instruction", "middle", "behind-pushes", "red-zone", "call-that-never-returns"].map {
            .at("stop_here", named: $0)
        })

    static let signalAltstack = Self(
        "signal-altstack", source: "signal-altstack.c",
        stops: [.at("stop_here", named: "handler"), .at("stop_here", named: "handler-in-handler")])

    static let threads = Self("threads", source: "threads.c", flags: ["-pthread"], stops: [.at("stop_here")])
}
