import CUnwindTable
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Stacks through code without call frame information whose instructions prove rules.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct InferredStackTests {
    private func program() throws -> LiveProgram {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised + ["-o", "program", "\(LiveProgram.sources)/uncovered.c"],
            in: fixture.directory)
        return try LiveProgram(fixture, "program")
    }

    @Test func stacksAreWholeAndNotGuessed() throws {
        let stacks = try LiveStacks(of: program(), count: 200) { $0.innermost == "inner" }
        let found = stacks.inside("inner")
        for live in found {
            #expect(
                live.isComplete && live.outermost == "_start" && live.guessed == 0, "\(live.stack.end): \(live.text)")
            #expect(
                live.text.hasSuffix(";main;outer;inner") || live.text.hasSuffix(";main;outer;middle;inner"),
                "\(live.text)")
        }
        // Only callers of code without call frame information are marked.
        let uncovered: Set = ["inner", "middle", "outer"]
        for live in found {
            for (callee, frame) in zip(live.functions, live.stack.userFrames.dropFirst()) {
                #expect(frame.isInferred == uncovered.contains(callee), "\(callee) in \(live.text)")
            }
        }
        // `inner` runs as long below either.
        let below = found.filter { $0.functions.prefix(2) == ["inner", "middle"] }.reduce(0) { $0 + $1.count }
        #expect(below >= 20)
    }

    @Test func withoutInferenceTheyEnd() throws {
        let stacks = try LiveStacks(of: program(), count: 50, infers: false) { $0.innermost == "inner" }
        for live in stacks.inside("inner") { #expect(!live.isComplete, "\(live.text)") }
    }
}
