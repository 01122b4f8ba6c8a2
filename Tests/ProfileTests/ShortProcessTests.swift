import CUnwindTable
import Foundation
@testable import KernelUnwinder
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Processes that end before anybody can read their mappings.
@Suite(.enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct ShortProcessTests {
    private typealias Found = (stacks: [LiveStacks.Live], lostSnapshots: Int)

    /// Samples a program, or everyone while it runs, until enough stacks count, for at most a minute. Again if events of
    /// processes were lost, without which stacks of short ones can't be finished: another test maps a file all the time.
    private func record(
        _ words: [String], everyone: Bool, commands: Set<String> = [], waits: Bool = false, atLeast count: Int,
        isCounted: (Stacks.Stack) -> Bool
    ) throws -> Found {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(180) {
            let found = try recordOnce(
                words, everyone: everyone, commands: commands, waits: waits, atLeast: count, isCounted: isCounted)
            if let found { return found }
        }
        throw TestFailure("events of processes are lost all the time")
    }

    /// Stacks are named at the end, so that samples are read in time. Nil if events were lost.
    private func recordOnce(
        _ words: [String], everyone: Bool, commands: Set<String>, waits: Bool, atLeast count: Int,
        isCounted: (Stacks.Stack) -> Bool
    ) throws -> Found? {
        var options = KernelUnwinder.Options()
        (options.finishesStacks, options.samplesEveryone) = (true, everyone)
        options.filter.commands = commands
        if waits {
            var sampling = WaitSampling()
            sampling.share = 1
            options.waits = sampling
        }
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder)
        let program = try RunningProgram(words)
        try unwinder.watchProcesses()
        if !everyone { try recorder.add(program.id) }
        if waits { try unwinder.startWaits() } else { try unwinder.start(.clock, frequency: 999) }
        let start = ContinuousClock.now
        var counted = 0
        while ContinuousClock.now - start < .seconds(60), counted < count {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
            counted = recorder.stacks.counts.reduce(0) { isCounted($1.key) ? $0 + $1.value : $0 }
        }
        let counters = try unwinder.counters()
        unwinder.close()
        // Another process may map so much that events of all processes are lost.
        if counters.lostProcessEvents > 0 { return nil }
        return (LiveStacks.named(recorder).filter { isCounted($0.stack) }, Int(counters.lostSnapshots))
    }

    /// Each of these processes lives for about a millisecond.
    @Test(arguments: [true, false]) func stacksOfShortProcessesAreComplete(everyone: Bool) throws {
        let (short, lost) = try record(
            ["/bin/bash", "-c", "while :; do /bin/true; done"], everyone: everyone, commands: ["true"],
            atLeast: 400
        ) { $0.command == "true" }
        let count = short.reduce(0) { $0 + $1.count }
        #expect(count >= 400)
        // Nearly all are; but if this machine is busy, some snapshots are lost, and some memory pages are not there.
        let complete = short.filter(\.isComplete)
        #expect(complete.reduce(0) { $0 + $1.count } * 10 >= (count - lost) * 8, "\(ends(short)), \(lost) lost")
        // From the kernel's entry through the dynamic linker, which has no call frame information for its `_start`.
        let inLinker = complete.filter { $0.stack.userFrames.count > 1 && $0.outermost.hasPrefix("[ld-linux") }
        #expect(!inLinker.isEmpty, "\(complete.prefix(5).map(\.text))")
        #expect(short.allSatisfy { $0.stack.outcome != .guessed }, "\(ends(short))")
    }

    /// A process that waits once, for less time than it takes to read its mappings.
    @Test func waitsOfShortProcessesAreComplete() throws {
        let found = try record(
            ["/bin/bash", "-c", "while :; do /bin/sleep 0.002; done"], everyone: true, commands: ["sleep"], waits: true,
            atLeast: 100
        ) { $0.command == "sleep" && $0.isWaiting }
        let sleeping = found.stacks.filter { $0.kernelFunctions.contains { $0.contains("nanosleep") } }
        let count = sleeping.reduce(0) { $0 + $1.count }
        let complete = sleeping.filter(\.isComplete)
        #expect(count >= 50 && complete.reduce(0) { $0 + $1.count } * 10 >= (count - found.lostSnapshots) * 8)
        #expect(complete.allSatisfy { $0.stack.userFrames.contains(where: \.isFinished) && $0.depth > 3 })
    }

    private func ends(_ stacks: [LiveStacks.Live]) -> [String: Int] {
        stacks.reduce(into: [:]) { $0["\($1.stack.outcome) \($1.stack.end.name)", default: 0] += $1.count }
    }

    /// A process's memory is freed while it ends, and while it executes another program. This takes milliseconds if there is
    /// much of it.
    @Test(arguments: ["pass", "import os; os.execv('/bin/true', ['true'])"])
    func processThatHasGivenUpItsMemoryHasOnlyKernelFrames(end: String) throws {
        let endOfLife = StackEnd(code: CFIC_STEP_NO_USER_CODE.rawValue)
        let (found, _) = try record(
            ["/bin/bash", "-c", "while :; do /usr/bin/python3 -c \"x = b'x' * 50000000; \(end)\"; done"],
            everyone: false, atLeast: 20
        ) { $0.end == endOfLife }
        #expect(found.reduce(0) { $0 + $1.count } >= 20)
        for live in found {
            #expect(live.isComplete && live.stack.userFrames.isEmpty && !live.stack.kernelFrames.isEmpty)
        }
        let function = end == "pass" ? "do_exit_[k]" : "begin_new_exec_[k]"
        #expect(found.contains { $0.kernelFunctions.contains(function) }, "\(found.map(\.kernelFunctions).prefix(3))")
    }
}
