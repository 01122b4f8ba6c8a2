import CUnwindTable
import Foundation
import FullUnwinder
@testable import KernelUnwinder
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Stacks that the kernel can't follow to their ends, and that user space finishes with all registers.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct FinishedStackTests {
    @Test func bindingOfACallIsFollowedToTheOutermostFrame() throws {
        var options = KernelUnwinder.Options()
        options.finishesStacks = true
        // Not those of a child that has just begun, whose mappings the kernel doesn't know: they begin in the linker.
        func isFinished(_ live: LiveStacks.Live) -> Bool {
            live.stack.userFrames.contains(where: \.isFinished) && !live.outermost.hasPrefix("[ld-linux")
        }
        let stacks = try LiveStacks(
            of: LiveProgram.binding(), options: options, count: 20, isEnough: isFinished)
        let finished = stacks.all.filter(isFinished)
        #expect(finished.reduce(0) { $0 + $1.count } >= 20)
        for live in finished {
            #expect(live.isComplete && live.outermost == "_start", "\(live.stack.end): \(live.text)")
            // What the kernel found is in the dynamic linker, and the program's functions called it.
            let count = live.stack.userFrames.count { !$0.isFinished }
            #expect(live.stack.userFrames.prefix(count).allSatisfy { !$0.isFinished && !$0.isGuessed })
            #expect(live.functions.contains("main") && count < live.depth)
        }
        // Some can't be: the child was forked a moment ago, and a memory page of its stack may be being copied.
        let unfinished = stacks.all.filter { $0.stack.end.code == CFIC_STEP_NO_REGISTERS.rawValue }
        #expect(unfinished.reduce(0) { $0 + $1.count } * 4 <= finished.reduce(0) { $0 + $1.count })
    }

    /// From the innermost frame alone, the walk in user space finds the frames that the kernel found by rules.
    @Test(arguments: [
        "alloca.c", "realigned.c", "assembly.c", "longjmp.c", "signal-leaf.c", "vdso.c",
    ])
    func wholeStacksAreThoseOfTheKernel(source: String) throws {
        var options = KernelUnwinder.Options()
        options.snapshotEvery = 1
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let program = try LiveProgram.repeating(source)
        #expect(try program.running.line() == "once")
        let comparison = try Comparison()
        let recorder = Recorder(unwinder)
        recorder.observer = comparison
        try unwinder.watchProcesses()
        try recorder.add(program.id)
        try unwinder.start(.clock, frequency: 999)
        while comparison.compared < 200 {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.close()
        #expect(comparison.differences == [])
    }

    private final class Comparison: SampleObserver {
        private let finisher: StackFinisher
        private(set) var compared = 0
        private(set) var differences: [String] = []

        init() throws { finisher = try StackFinisher() }

        func note(_ stack: ObservedStack) {
            guard let images = stack.images, StackOutcome(stack.end, hasGuesses: false) == .complete,
                !stack.frames.contains(where: \.isGuessed), stack.frames.count > 1
            else { return }
            let found = finisher.finish(stack.frames.prefix(1), stack.snapshot, mapping: images.mapping(at:))
            // Larger stacks, or a page that nobody touched.
            if let end = found?.end, end.code == CFIC_STEP_UNREADABLE_RETURN_ADDRESS.rawValue { return }
            compared += 1
            let ours = found?.frames ?? [], theirs = stack.frames.dropFirst()
            let areSame = ours.elementsEqual(theirs) { $0.pc == $1.pc && $0.isExact == $1.isExact }
            if !areSame || found?.end.isOutermost != true {
                differences.append("\(String(describing: found?.end)): \(ours.count) of \(theirs.count) frames")
            }
        }
    }
}
