import CUnwindTable
import ELF
import Foundation
import KernelUnwinder
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Processes sampled at random during their whole work: in prologues and epilogues, in stubs, in the unwinder of
/// exceptions, in hand-written assembly. Every stack is complete.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct RepeatedStackTests {
    private func expectComplete(
        _ stacks: LiveStacks, _ process: Int32, sourceLocation: SourceLocation = #_sourceLocation,
        isOutermost: (LiveStacks.Live) -> Bool
    ) {
        let own = stacks.all.filter { $0.stack.space.process == process }
        #expect(own.filter(\.isComplete).reduce(0) { $0 + $1.count } >= 100, sourceLocation: sourceLocation)
        for live in own {
            let isRight =
                live.isComplete && isOutermost(live) || live.isWhileASignalChangesRegisters
                || isWrongByItsCompiler(live, stacks)
            #expect(
                isRight, "\(live.stack.end): \(live.text), \(live.kernelFunctions)", sourceLocation: sourceLocation)
        }
    }

    /// Whether the sample is at an instruction for which the compiler's call frame information is wrong.
    private func isWrongByItsCompiler(_ live: LiveStacks.Live, _ stacks: LiveStacks) -> Bool {
        // The last instructions of __builtin_eh_return: the stack pointer is already that of the catching frame.
        let unwinder = live.functions.drop { $0.hasPrefix("[libgcc_s.so.1]") }.first
        if live.depth <= 8, unwinder?.hasPrefix("_Unwind_R") == true { return true }
        // gcc, between `pop %rbp; lea -8(%r10), %rsp` and the end of a function that realigned its stack: the rule
        // states that the frame pointer is still on the stack.
        guard let frame = live.stack.userFrames.first,
            let mapping = stacks.recorder.processes.images(of: live.stack.space)?.mapping(at: frame.pc),
            let image = mapping.image, let code = try? contents(image.name),
            let segment = image.image?.segments.first(where: { $0.isLoad && $0.isExecutable })
        else { return false }
        let start = Int(frame.pc &- mapping.bias &- segment.virtualAddress &+ segment.offset)
        let next = code[max(start - 4, 0)..<min(start + 12, code.count)]
        return (next.startIndex...next.endIndex - 4).contains { next[$0..<$0 + 4] == [0x49, 0x8d, 0x62, 0xf8] }
    }

    /// Stacks are forgotten when they take too much memory. Their numbers then stand for other ones.
    @Test func numbersOfForgottenStacksStandForOthers() throws {
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
        let recorder = Recorder(unwinder)
        recorder.rawLimit = 0
        try unwinder.watchProcesses()
        let busy = ["/bin/bash", "-c", "while :; do :; done"]
        let (first, second) = (try RunningProgram(busy), try RunningProgram(busy))
        for program in [first, second] { try recorder.add(program.id) }
        try unwinder.start(.clock, frequency: 999)
        func count(_ program: RunningProgram) -> Int {
            recorder.stacks.counts.reduce(0) { $1.key.space.process == program.id ? $0 + $1.value : $0 }
        }
        func collect(until hasHappened: () -> Bool) throws {
            let start = ContinuousClock.now
            while !hasHappened(), ContinuousClock.now - start < .seconds(30) {
                unwinder.wait(milliseconds: 20)
                try recorder.collect()
            }
        }
        try collect { count(first) >= 50 && count(second) >= 50 }
        first.end()
        try collect { unwinder.images(of: first.id) == nil }
        try recorder.collect()
        let (before, all) = (count(first), recorder.stacks.totals.samples)
        try collect { recorder.stacks.totals.samples >= all + 100 }
        unwinder.stop()
        #expect(before >= 50 && count(first) == before)
        #expect(recorder.stacks.totals.samples >= all + 100)
    }

    /// Its CFA is in rbx, which is unknown after a call, so only samples in the resolver itself have callers.
    @Test func resolverOfLazyBindingEndsAStackWithItsReason() throws {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised.dropLast() + [
                "-Wl,-z,lazy", "-o", "odd", "\(LiveProgram.sources)/odd-stacks.c",
            ], in: fixture.directory)
        let stacks = try LiveStacks(of: try LiveProgram(fixture, "odd", ["bind"]), count: 300)
        let bound = stacks.all.filter { $0.outermost == "_start" }
        #expect(bound.allSatisfy(\.isComplete) && !bound.isEmpty)
        for live in stacks.all where live.outermost.hasPrefix("[ld-linux") || live.outermost.hasPrefix("_dl") {
            #expect(live.stack.end.code == CFIC_STEP_NO_REGISTERS.rawValue, "\(live.stack.end): \(live.text)")
            #expect(live.functions.allSatisfy { $0.hasPrefix("[ld-linux") || $0.hasPrefix("_dl") }, "\(live.text)")
        }
    }

    @Test(arguments: [
        ("c-recursion.c", "gcc"), ("c-recursion.c", "clang"), ("alloca.c", "gcc"), ("alloca.c", "clang"),
        ("realigned.c", "gcc"), ("realigned.c", "clang"), ("longjmp.c", "gcc"), ("vdso.c", "gcc"),
        ("signal-leaf.c", "gcc"), ("assembly.c", "gcc"), ("cpp-exceptions.cpp", "g++"),
        ("cpp-exceptions.cpp", "clang++"),
    ])
    func everySampleIsComplete(source: String, compiler: String) throws {
        let program = try LiveProgram.repeating(
            source, by: compiler, once: source.hasSuffix("cpp") ? "_Z4oncev" : "once")
        #expect(try program.running.line() == "once")
        let stacks = try LiveStacks(of: program, count: 300)
        let start = try Regex("^" + LiveStacks.start + "(;.*)?$")
        expectComplete(stacks, program.id) { (try? start.wholeMatch(in: $0.text)) != nil }
        if source == "vdso.c" {
            // The C library's clock_gettime calls the vDSO's.
            #expect(stacks.all.contains { $0.text.hasSuffix(";descend;clock_gettime;clock_gettime") })
        }
    }
}
