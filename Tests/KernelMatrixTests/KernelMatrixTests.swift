import TestFixtures
import Testing

/// The BPF programs on Debian's kernels for both machines. Each kernel is booted once for all of these tests.
@Suite(
    .serialized,
    .enabled(
        if: KernelGuest.canBeBuilt, "\(HostKernel.isLeftAlone ? HostKernel.need : "what guests run is built on x86-64")"
    ))
struct KernelMatrixTests {
    /// Linux allows 1,000,000 instructions. The margin is for kernels that process more instructions for the same
    /// program.
    @Test(arguments: KernelGuest.all)
    func programsLoadWithinOneHundredThousandInstructions(guest: KernelGuest) throws {
        let verified = try guest.report().verified
        let machine = guest.architecture == .amd64 ? "x86_64" : "aarch64"
        let walking = ["profile", "look_up", "walk_stack", "off_cpu", "tracepoint"].map { "\($0)_\(machine)" }
        #expect(Set(verified.keys) == Set(walking + ["follow_fork", "follow_exec"]))
        for (program, instructions) in verified {
            #expect(instructions > (walking.contains(program) ? 1000 : 10) && instructions < 100_000, "\(program)")
        }
    }

    /// Before Linux 5.11, maps count as locked memory, and the guest's processes have a low limit for that.
    @Test(arguments: KernelGuest.all.filter { $0.kernel == "5.10" })
    func programsLoadWhereLockedMemoryIsLimited(guest: KernelGuest) throws {
        #expect(try guest.report().value("memlock") == "65536")
    }

    @Test(arguments: KernelGuest.all)
    func lookupsFindTheRulesThatTheyFindInUserSpace(guest: KernelGuest) throws {
        let lookups = try guest.report().lookups
        for table in lookups {
            #expect(table["different"] == 0 && table["random"] >= 100_000 && table["edges"] > 900, "\(table)")
        }
        // All kinds of pages occurred, a table with more than 64 KiB of rules, and tables of libraries.
        for kind in ["uniform", "sparse", "dense", "quarters"] {
            #expect(lookups.contains { $0[kind] > 0 }, "\(kind)")
        }
        #expect(lookups.contains { $0["rules"] > 5461 })
        #expect(lookups.contains { $0.name == "libc.so.6.unwind" })
        #expect(lookups.count >= 5)
    }

    /// With the BPF program that user space runs, which reads the memory of the requesting thread.
    @Test(arguments: KernelGuest.all)
    func walksOfACallersOwnStackAreWhatItCalled(guest: KernelGuest) throws {
        let walk = try #require(try guest.report().walks.first)
        #expect(walk["different"] == 0 && walk["frames"] > 40, "\(walk)")
    }

    /// `cfic profile` in the guest, with a command that spins in a stack of 50 calls.
    @Test(arguments: KernelGuest.all.filter { $0.architecture == .amd64 })
    func profileNamesTheStackThatACommandHas(guest: KernelGuest) throws {
        let found = try #require(try guest.report().mostSampled("profile"))
        let calls = (0..<50).map { ["registers", "buffer", "bare"][$0 % 3] }
        let stack = ["chain", "_start", "__libc_start_main", "[libc.so.6]", "main"] + calls + ["spin"]
        // On some systems, functions of the C library have no symbols.
        #expect(found.stack.replacing(/\+0x[0-9a-f]+/, with: "") == stack.joined(separator: ";"))
    }

    /// `cfic profile -a` in the guest, while a process that nobody named spins in the same stack.
    @Test(arguments: KernelGuest.all.filter { $0.architecture == .amd64 })
    func profileOfTheWholeMachineNamesTheStackThatAProcessHas(guest: KernelGuest) throws {
        let named = try #require(try guest.report().mostSampled("profile"))
        let found = try #require(try guest.report().mostSampled("profile-everyone"))
        #expect(found.stack == named.stack)
    }

    /// `cfic profile -d 3` in the guest, while the clock of the day is set back to 2001.
    @Test(arguments: KernelGuest.all.filter { $0.architecture == .amd64 })
    func clockThatIsSetBackChangesNothing(guest: KernelGuest) throws {
        let report = try guest.report()
        try #require(report.lines.contains(["clock", "set", "back"]))
        #expect(try #require(report.mostSampled("profile-stepped")).stack == report.mostSampled("profile")?.stack)
        // By the clock that only runs forward; a slow guest is late.
        let seconds = try #require(report.value("stepped-seconds").flatMap { Double($0) })
        #expect(seconds >= 3 && seconds < 300)
    }

    /// While all processes are sampled: a process's first samples end with NO_PROCESS and come with its registers and
    /// memory. From the moment at which it is listed, they are its known stack.
    @Test(arguments: KernelGuest.all)
    func samplesOfAProcessThatIsNotListedComeWithSnapshots(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().everyone.first)
        // Of two programs each, one of which executed the other.
        #expect(workload["unlisted"] >= 40 && workload["joined"] >= 40, "\(workload)")
        #expect(workload["unlisted-different"] == 0 && workload["snapshots-different"] == 0, "\(workload)")
        #expect(workload["samples"] >= 40 && workload["different"] == 0 && workload["guessed"] == 0, "\(workload)")
    }

    /// Its entry is removed before the first instruction of the new program, whose stack pointer is then where the kernel
    /// says that the process's stack begins.
    @Test(arguments: KernelGuest.all)
    func processThatExecutesAnotherProgramIsNotListedAnyMore(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().everyone.first)
        #expect(workload["removed"] == 1 && workload["at-start"] >= 1, "\(workload)")
        #expect(workload["executed"] >= 1 && workload["executed-different"] == 0, "\(workload)")
    }

    /// Samples where the kernel frees the 1,024 pages that each of two programs has: one when it executes another program,
    /// one when it ends.
    @Test(arguments: KernelGuest.all)
    func processThatGivesUpItsMemoryHasOnlyKernelFrames(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().everyone.first)
        #expect(workload["executing"] >= 512 && workload["ending"] >= 512, "\(workload)")
        #expect(workload["without-user-code-different"] == 0, "\(workload)")
    }

    @Test(arguments: KernelGuest.all)
    func kernelThreadsHaveOnlyKernelFrames(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().everyone.first)
        #expect(workload["kernel-threads"] >= 20 && workload["kernel-threads-different"] == 0, "\(workload)")
    }

    /// Code without call frame information that runs where the process's stack begins has no caller, and is no guess.
    @Test(arguments: KernelGuest.all)
    func stacksEndWhereTheProcessesStackBegins(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().stacks.first { $0.name == "stack-start" })
        #expect(workload["frames"] == 2 * workload["samples"] && workload["guessed"] == 0, "\(workload)")
    }

    private static let depths = [1, 50, 127, 500, 1000]

    @Test(arguments: KernelGuest.all)
    func samplesAreTheStacksThatWorkloadsHave(guest: KernelGuest) throws {
        let stacks = try guest.report().stacks.filter { !$0.name.contains("signal") }
        for workload in stacks {
            #expect(workload["samples"] >= 20 && workload["different"] == 0 && workload["enough"] == 1, "\(workload)")
            #expect(workload["guessed"] == guesses(in: workload), "\(workload)")
        }
        for depth in Self.depths { #expect(stacks.contains { $0.name == "depth-\(depth)" }, "\(depth)") }
        for name in ["alloca", "realigned", "mixed", "frame-pointers", "last-call", "jit"] {
            #expect(stacks.contains { $0.name == name }, "\(name)")
        }
    }

    /// Code with rules needs no guesses, even where they are inferred, as those of arm64's procedure linkage table. Code
    /// generated at run time does. All frames outward of it are marked.
    private func guesses(in workload: GuestReport.Line) -> Int {
        workload.name == "jit" ? workload["frames"] - workload["samples"] : 0
    }

    /// A workload sleeps 50 times in a chain of 50 calls.
    @Test(arguments: KernelGuest.all)
    func waitsHaveTheStackAndTheLengthThatTheWorkloadMeasured(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().waits.first)
        #expect(workload["different"] == 0, "\(workload)")
        // A thread that is preempted on its way to a wait may find that it needn't wait any more.
        #expect((48...50).contains(workload["waits"]) && workload["in-kernel"] == workload["samples"], "\(workload)")
        let (waited, measured) = (workload["waited"], workload["measured"])
        #expect(measured >= 1_000_000_000 && waited <= measured && waited * 100 >= measured * 95, "\(workload)")
    }

    /// `cfic profile --off-cpu` in the guest.
    @Test(arguments: KernelGuest.all.filter { $0.architecture == .amd64 })
    func profileOfWaitsHasTheNanosecondsThatACommandMeasured(guest: KernelGuest) throws {
        let lines = try guest.report().lines
        let measured = try #require(lines.first { $0.first == "wait_nanosleep" }.flatMap { Int($0[2]) })
        // The mappings may have become known while it waited.
        let waits = lines.filter { $0.first == "off-cpu" && $0[1].contains(";clock_nanosleep;") }
        #expect(waits.contains { $0[1].contains(";main;repeat;wait_nanosleep;sleep_innermost;nanosleep;") })
        let waited = waits.reduce(0) { $0 + (Int($1[2]) ?? 0) }
        #expect(waited <= measured && waited * 100 >= measured * 95, "\(waited) of \(measured)")
        #expect(waits.allSatisfy { $0[1].hasSuffix(";__schedule_[k]") })
    }

    /// `cfic profile -e` in the guest: each hit of a tracepoint is a sample, with the stack in which the workload makes it
    /// happen.
    @Test(arguments: KernelGuest.all.filter { $0.architecture == .amd64 })
    func eachHitOfATracepointIsASampleWithTheWorkloadsStack(guest: KernelGuest) throws {
        let found = try guest.report().lines.filter { $0.first == "tracepoint" }
        #expect(found.reduce(0) { $0 + (Int($1[2]) ?? 0) } == 200, "\(found)")
        let functions = ";main;call_repeatedly;call_once;syscall"
        #expect(found.allSatisfy { $0[1].contains(";_start;") && $0[1].contains(functions) }, "\(found)")
    }

    /// The memory of a process that stays in one function doesn't change. The procedure linkage table's workload calls.
    @Test(arguments: KernelGuest.all)
    func snapshotsHaveTheMemoryThatProcessesHave(guest: KernelGuest) throws {
        for workload in try guest.report().stacks {
            #expect(workload["joined"] >= 20, "\(workload)")
            if workload["place-1"] < 0 { #expect(workload["snapshots-different"] == 0, "\(workload)") }
        }
    }

    /// All samples have user frames below the kernel frames.
    @Test(arguments: KernelGuest.all)
    func samplesOfSystemCallsHaveTheStackThatEnteredTheKernel(guest: KernelGuest) throws {
        let stacks = try guest.report().stacks.filter { $0.name.hasSuffix("in-kernel") }
        #expect(stacks.count == (guest.architecture == .amd64 ? 2 : 3))
        for workload in stacks { #expect(workload["in-kernel"] >= 20, "\(workload)") }
    }

    /// Caller, stub and callee.
    @Test(arguments: KernelGuest.all)
    func samplesInTheProcedureLinkageTableAreCompared(guest: KernelGuest) throws {
        let plt = try #require(try guest.report().stacks.first { $0.name == "plt" })
        for place in 0..<3 { #expect(plt["place-\(place)"] >= 20, "\(plt)") }
    }

    @Test(arguments: KernelGuest.all)
    func deeperStacksHaveAsManyFramesAsAWalkTakes(guest: KernelGuest) throws {
        let workload = try #require(try guest.report().stacks.first { $0.name == "too-deep" })
        #expect(workload["frames"] == 1024 * workload["samples"])
    }

    @Test(arguments: KernelGuest.all.filter { $0.architecture == .arm64 })
    func signedReturnAddressesAreStripped(guest: KernelGuest) throws {
        let stacks = try guest.report().stacks
        for workload in stacks {
            #expect((workload["signed"] == 1) == workload.name.hasPrefix("signed"), "\(workload)")
        }
        #expect(stacks.count { $0.name.hasPrefix("signed") } >= 3)
    }

    /// On arm64 handlers return to code in the vDSO, which has a table like other images.
    @Test(arguments: KernelGuest.all)
    func handlersOfSignalsHaveTheFrameThatWasInterrupted(guest: KernelGuest) throws {
        let stacks = try guest.report().stacks.filter { $0.name.contains("signal") }
        #expect(stacks.count == (guest.architecture == .amd64 ? 3 : 4))
        for workload in stacks {
            #expect(workload["samples"] >= 20 && workload["different"] == 0 && workload["enough"] == 1, "\(workload)")
            #expect(workload["guessed"] == 0, "\(workload)")
        }
    }

    /// A known failure of a profiler, which shows that the BPF programs above load because they avoid it.
    @Test(arguments: KernelGuest.all)
    func pointerArgumentsOfGlobalFunctionsAreRejectedBefore512(guest: KernelGuest) throws {
        let report = try guest.report()
        let isOld = guest.kernel == "5.10"
        #expect(report.value("global-pointer") == (isOld ? "1" : "0"))
        #expect(report.text.contains("Arg#0 type PTR in dwarf_cfi_eval() is not supported yet") == isOld)
    }
}
