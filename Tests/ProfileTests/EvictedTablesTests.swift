import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// A program is sampled whose tables don't fit, and then do.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
struct EvictedTablesTests {
    @Test func tablesThatSamplesMissComeBackWhenThereIsRoom() throws {
        var options = KernelUnwinder.Options()
        options.tableBudget = 4 << 20
        options.kernelFrames = false
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let memory = unwinder.memory
        // Room for mappings, and for small tables, but not for those of bash, libc and the dynamic linker.
        let filler = try memory.allocate(words: (memory.tableLimit - memory.usedBytes - 4096) / 4)
        let program = try RunningProgram(["/bin/bash", "-c", "echo ready; while :; do :; done"])
        #expect(try program.line() == "ready")
        let recorder = Recorder(unwinder)
        try recorder.add(program.id)
        let before = unwinder.memoryUse
        #expect(before.tables >= 4 && before.evicted >= 3 && before.evictions == 0)
        try unwinder.start(.clock, frequency: 999)

        func collect(until isEnough: () -> Bool) throws {
            let start = ContinuousClock.now
            while !isEnough() {
                guard ContinuousClock.now - start < .seconds(60) else { throw TestFailure("it did not happen") }
                unwinder.wait(milliseconds: 20)
                try recorder.collect()
            }
        }
        func count(where isCounted: (Stacks.Stack) -> Bool) -> Int {
            recorder.stacks.counts.reduce(0) { isCounted($1.key) ? $0 + $1.value : $0 }
        }
        func ended() -> Int { count { $0.end.code == CFIC_STEP_TABLE_EVICTED.rawValue } }
        func complete() -> Int { count { $0.outcome == .complete } }
        try collect { ended() >= 50 }
        // Nothing was guessed, and nothing was given up for what doesn't fit.
        #expect(complete() == 0 && count { $0.outcome == .guessed } == 0)
        #expect(unwinder.memoryUse.reloads == 0 && unwinder.memoryUse.evictions == 0)

        memory.free(filler)
        try collect { complete() >= 50 }
        unwinder.stop()
        #expect(unwinder.memoryUse.reloads >= 1 && unwinder.memoryUse.evictions == 0)
        // All complete stacks begin where the program does.
        let names = Symbolizer(recorder.processes)
        let outermost = Set(
            recorder.stacks.counts.keys.filter { $0.outcome == .complete }.compactMap { stack in
                stack.userFrames.last.map { names.name(of: $0, in: stack.space) }
            })
        #expect(outermost.allSatisfy { $0 == "_start" || $0.hasPrefix("[bash]+0x") }, "\(outermost)")
    }
}
