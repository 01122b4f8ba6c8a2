/// Stacks with hand-written assembly at the top: the CFA in registers and in memory, functions without symbols.
extension CoreProgram {
    static let assembly = [handWritten]

    /// `digest` instruction by instruction: 10 up to the loop, the first turn with the 8 instructions of its helper,
    /// the second turn, and the epilogue.
    static let handWritten = Self(
        "assembly", source: "assembly.c",
        stops: [.at("digest", named: "digest-0")] + (1...30).map { .further(1, named: "digest-\($0)") } + [
            // `mov 64(%rsp), %rsi`, which occurs once.
            .next([0x48, 0x8b, 0x74, 0x24, 0x40], named: "leaves-0")
        ] + (1...7).map { .further(1, named: "leaves-\($0)") })
}
