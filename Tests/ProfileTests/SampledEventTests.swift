import Glibc
@testable import KernelUnwinder
@testable import LinuxProcess
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Samples by events that a program makes happen a known number of times.
@Suite(.enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct SampledEventTests {
    private static let start = "^_start;[^;]+;[^;]+;main;"
    private static let getppid = "syscalls:sys_enter_getppid"

    // MARK: Page faults

    /// Each first write to a memory page is one fault: the processor's exception that it raises is counted before
    /// anything else is done about it.
    @Test(arguments: ["page-faults", "minor-faults"])
    func eachPageFaultIsASample(event: String) throws {
        let found = try KnownEvents("touch", count: 1000, try #require(SamplingEvent.generic(named: event)), period: 1)
        let faults = found.all.filter { $0.innermost == "touch_page" }
        #expect(faults.reduce(0) { $0 + $1.count } == 1000 && found.counters.lost == 0)
        let pattern = try Regex(Self.start + "touch_pages;touch_page$")
        for stack in faults {
            #expect(stack.isComplete && stack.text.contains(pattern), "\(stack.text)")
            #expect(stack.stack.userFrames[0].isExact)
        }
    }

    /// Other processes' faults count towards the period, which is that of a CPU, so the number is only bounded.
    @Test func eachNthPageFaultIsASample() throws {
        let event = try #require(SamplingEvent.generic(named: "page-faults"))
        let found = try KnownEvents("touch", count: 5000, event, period: 100)
        let faults = found.all.filter { $0.innermost == "touch_page" }.reduce(0) { $0 + $1.count }
        #expect(faults > 0 && faults <= 50 + KernelUnwinder.onlineCPUCount)
    }

    // MARK: Tracepoints

    @Test func eachHitOfATracepointIsASample() throws {
        let found = try KnownEvents("call", count: 1000, Tracepoints().event(named: Self.getppid), period: 1)
        let calls = found.all.filter { $0.functions.contains("call_once") }
        #expect(found.all.reduce(0) { $0 + $1.count } == 1000)
        #expect(calls.reduce(0) { $0 + $1.count } == 1000 && found.counters.lost == 0 && found.counters.missed == 0)
        #expect(found.counters.samples == 1000)
        let pattern = try Regex(Self.start + "call_repeatedly;call_once;syscall$")
        for stack in calls {
            #expect(stack.isComplete && stack.text.contains(pattern), "\(stack.text)")
            #expect(stack.stack.userFrames[0].isExact)
        }
    }

    /// Only hits by threads that are to be sampled count, so each CPU leaves out fewer than N.
    @Test func eachNthHitOfATracepointIsASample() throws {
        let found = try KnownEvents("call", count: 1000, Tracepoints().event(named: Self.getppid), period: 7)
        let calls = found.all.reduce(0) { $0 + $1.count }
        #expect((1000 / 7 - KernelUnwinder.onlineCPUCount...1000 / 7).contains(calls))
    }

    @Test func kernelFramesLeadToTheTracepoint() throws {
        let event = try Tracepoints().event(named: "mmap:vm_unmapped_area")
        let found = try KnownEvents("touch", count: 1, event, period: 1)
        let mapping = try #require(found.all.first { $0.functions.contains("touch_pages") })
        #expect(mapping.kernelFunctions.contains { $0.contains("mmap") }, "\(mapping.kernelFunctions)")
        #expect(mapping.isComplete && mapping.functions.first == "mmap", "\(mapping.text)")
    }

    /// The walk reads beyond the end of a memory page, and the kernel's attempt to do that is a hit of the tracepoint
    /// inside of the program for the tracepoint. The kernel must not run it again there: it would use the same state.
    @Test func programDoesNotInterruptItself() throws {
        let event = try Tracepoints().event(named: "exceptions:page_fault_kernel")
        let found = try KnownEvents("fault", count: 500, event, period: 1)
        let faults = found.all.filter { $0.functions.contains("have_kernel_touch_pages") }
        #expect(faults.reduce(0) { $0 + $1.count } == 500)
        let pattern = try Regex(Self.start + "(descend;){32}have_kernel_touch_pages;read$")
        for stack in faults { #expect(stack.isComplete && stack.text.contains(pattern), "\(stack.text)") }
        // A window that ends where nothing is can't be read. Words are read instead.
        #expect(found.counters.otherReads >= 500)
    }

    // MARK: What isn't there

    @Test func machineWithoutCountersSaysSo() throws {
        let instructions = try #require(SamplingEvent.generic(named: "instructions"))
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
        if instructions.isAvailable {
            try unwinder.start(instructions, frequency: 99)
            #expect(SamplingEvent.best == .cycles)
        } else {
            #expect(SamplingEvent.best == .clock)
            #expect {
                try unwinder.start(instructions, frequency: 99)
            } throws: {
                "\($0)" == "this machine has no hardware counter for instructions, like most virtual machines: "
                    + "use cpu-clock"
            }
        }
        unwinder.close()
    }

    @Test func unwinderForOtherEventsTakesNoTracepoint() throws {
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
        let event = try Tracepoints().event(named: Self.getppid)
        #expect(throws: KernelError.self) { try unwinder.start(event, .period(1)) }
        #expect(!unwinder.isWatching)
    }
}

/// The samples of testdata/programs/events.c.
private struct KnownEvents {
    var all: [LiveStacks.Live] = []
    var counters: Counters

    init(_ kind: String, count: Int, _ event: SamplingEvent, period: Int) throws {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised + ["-o", "events", "\(LiveProgram.sources)/events.c"],
            in: fixture.directory)
        let program = try LiveProgram(fixture, "events", [kind, "\(count)"])
        _ = try program.running.line()
        var options = KernelUnwinder.Options()
        options.sampleBytes = 8 << 20
        options.tracepointPeriod = event.kind == .tracepoint ? UInt32(period) : nil
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder)
        try unwinder.watchProcesses()
        try recorder.add(program.id)
        try unwinder.start(event, .period(period))
        try program.running.write("\n")
        let start = ContinuousClock.now
        while try program.running.lineIfAny() != "end" {
            try #require(ContinuousClock.now - start < .seconds(60))
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.stop()
        try recorder.collect()
        counters = try unwinder.counters()
        let names = Symbolizer(recorder.processes)
        all = recorder.stacks.counts.map { stack, count in
            LiveStacks.Live(
                stack: stack, count: count,
                functions: stack.userFrames.map { names.name(of: $0, in: stack.space) },
                kernelFunctions: stack.kernelFrames.map(names.kernelName))
        }
        unwinder.close()
    }
}
