import CLibbpf
import CUnwindTable
import Foundation
import KernelUnwinder
import LinuxProcess
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Sampling of the whole machine, and of parts of it.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct EveryoneTests {
    private static let busy = ["/bin/bash", "-c", "while :; do :; done"]

    /// Samples until `isEnough`, for at most a minute.
    private func record(
        _ filter: SampleFilter = SampleFilter(), kernelFrames: Bool = true, meanwhile: () throws -> Void = {},
        isEnough: (Stacks) -> Bool
    ) throws -> Recorder {
        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        options.filter = filter
        options.kernelFrames = kernelFrames
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder)
        try unwinder.start(.clock, frequency: 999)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60), !isEnough(recorder.stacks) {
            try meanwhile()
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.stop()
        try recorder.collect()
        unwinder.close()
        return recorder
    }

    private func samples(_ stacks: Stacks, where isCounted: (Stacks.Stack) -> Bool) -> Int {
        stacks.counts.reduce(0) { isCounted($1.key) ? $0 + $1.value : $0 }
    }

    @Test func processesThatNobodyNamedAreUnwoundAfterTheirFirstSamples() throws {
        let programs = [try RunningProgram(Self.busy), try RunningProgram(Self.busy)]
        func complete(_ stacks: Stacks, _ process: Int32) -> Int {
            samples(stacks) { $0.space.process == process && $0.outcome == .complete }
        }
        let recorder = try record { stacks in programs.allSatisfy { complete(stacks, $0.id) >= 20 } }
        for program in programs {
            #expect(complete(recorder.stacks, program.id) >= 20)
            // The samples of the first round.
            let unknown = samples(recorder.stacks) { $0.space.process == program.id && $0.end == .noProcess }
            #expect(unknown >= 1)
        }
        // Their innermost frames got names nevertheless, but for samples from before the exec.
        let names = Symbolizer(recorder.processes)
        let first = recorder.stacks.counts.keys.filter {
            $0.space.process == programs[0].id && $0.end == .noProcess && !$0.userFrames.isEmpty
        }
        #expect(!first.isEmpty && first.allSatisfy { $0.userFrames.count == 1 })
        #expect(first.contains { names.name(of: $0.userFrames[0], in: $0.space) != "[unknown]" })
    }

    /// One process maps and unmaps a file as fast as it can. Neither its own samples nor those of another process suffer
    /// from it for long.
    @Test func processThatChangesItsMappingsAllTheTimeIsUnwoundAndDisturbsNoOther() throws {
        let source = """
            #include <fcntl.h>
            #include <sys/mman.h>
            #include <sys/stat.h>
            int main(void)
            {
                char *at[16];
                struct stat status;
                int file = open("/proc/self/exe", O_RDONLY);
                fstat(file, &status);
                for (unsigned long turn = 0;; turn++) {
                    for (int i = 0; i < 16; i++)
                        at[i] = mmap(0, status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
                    for (int i = 0; i < 16; i++)
                        munmap(at[(i * 7 + turn) % 16], status.st_size);
                }
            }
            """
        let fixture = try Fixture()
        try source.write(toFile: "\(fixture.directory)/changes.c", atomically: false, encoding: .utf8)
        try run(words: ["gcc", "-O2", "-o", "changes", "changes.c"], in: fixture.directory)
        let programs = [try RunningProgram(["\(fixture.directory)/changes"]), try RunningProgram(Self.busy)]
        func complete(_ stacks: Stacks, _ process: Int32) -> Int {
            samples(stacks) { $0.space.process == process && $0.outcome == .complete }
        }
        let recorder = try record { stacks in programs.allSatisfy { complete(stacks, $0.id) >= 100 } }
        for program in programs { #expect(complete(recorder.stacks, program.id) >= 100) }
    }

    /// A process for which there is no room isn't read again with each of its samples.
    @Test func processThatIsRefusedIsLeftAlone() throws {
        // If events of processes are lost, as while another test maps a file all the time, those that were not just sampled
        // are forgotten, and there is room for others.
        for _ in 0..<4 where try refusedOnce() { return }
        throw TestFailure("events of processes are lost all the time")
    }

    /// - Returns: false if events were lost.
    private func refusedOnce() throws -> Bool {
        let programs = [try RunningProgram(Self.busy), try RunningProgram(Self.busy)]
        // It ends them when it is not used any more.
        defer { withExtendedLifetime(programs) {} }
        var options = KernelUnwinder.Options()
        (options.samplesEveryone, options.processLimit) = (true, 1)
        options.filter.threads = Set(programs.map(\.id))
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder)
        try unwinder.start(.clock, frequency: 999)
        let start = ContinuousClock.now
        func unknown() -> Int { samples(recorder.stacks) { $0.end == .noProcess } }
        func collect() throws {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        func isLossy() throws -> Bool { try unwinder.counters().lostProcessEvents > 0 }
        while recorder.problems.isEmpty, ContinuousClock.now - start < .seconds(60), try !isLossy() { try collect() }
        if try isLossy() { return false }
        #expect(recorder.problems == ["more than 1 processes at once"])
        var (rounds, attempts, last) = (0, 0, unknown())
        while rounds < 40, ContinuousClock.now - start < .seconds(60), try !isLossy() {
            try collect()
            if unknown() > last { rounds += 1 }
            if recorder.metNewcomers { attempts += 1 }
            last = unknown()
        }
        unwinder.stop()
        if try isLossy() { return false }
        unwinder.close()
        #expect(rounds == 40)
        // Now and then, because there may be room by now.
        let pauses = (ContinuousClock.now - start) / Duration.nanoseconds(Int64(Newcomers.pause))
        #expect(attempts <= 1 + Int(pauses))
        return true
    }

    /// The kernel frees a map in a kernel thread, which takes milliseconds for a large one.
    @Test func kernelThreadsHaveWholeStacks() throws {
        func isKernelThread(_ stack: Stacks.Stack) -> Bool { stack.end.code == CFIC_STEP_KERNEL_THREAD.rawValue }
        let recorder = try record(meanwhile: {
            let map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "large", 4, 4096, 8192, nil)
            try #require(map >= 0)
            close(map)
        }) { samples($0, where: isKernelThread) >= 5 }
        let stacks = recorder.stacks.counts.keys.filter(isKernelThread)
        #expect(!stacks.isEmpty)
        for stack in stacks {
            #expect(stack.outcome == .complete && stack.userFrames.isEmpty && !stack.kernelFrames.isEmpty)
        }
    }

    @Test func withoutTheKernelThereAreNoKernelThreads() throws {
        let program = try RunningProgram(Self.busy)
        let recorder = try record(
            kernelFrames: false,
            meanwhile: {
                let map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "large", 4, 4096, 8192, nil)
                try #require(map >= 0)
                close(map)
            }
        ) { samples($0) { $0.space.process == program.id } >= 200 }
        let kernel = recorder.stacks.counts.keys.filter {
            !$0.kernelFrames.isEmpty || $0.end.code == CFIC_STEP_KERNEL_THREAD.rawValue
        }
        #expect(kernel == [] && recorder.stacks.totals.samples >= 200)
    }

    /// What is kept is in proportion to the processes that live, and to the different stacks.
    @Test func nothingIsKeptOfProcessesThatHaveEnded() throws {
        let count = 3000
        let shell = try RunningProgram([
            "/bin/bash", "-c", "for i in {1..\(count)}; do /bin/true; ((i % 50)) || echo; done; read x",
        ])
        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder, tellsProcessesApart: false)
        try unwinder.start(.clock, frequency: 4999)
        var lines = 0
        var start = ContinuousClock.now
        while lines < count / 50, ContinuousClock.now - start < .seconds(120) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
            while try shell.lineIfAny() != nil { lines += 1 }
        }
        try #require(lines == count / 50)
        // Others end meanwhile, but none of them is kept for long.
        var gone: Set<Int32> = []
        start = ContinuousClock.now
        repeat {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
            let living = try Self.living()
            gone = Set(unwinder.trackedProcesses).subtracting(living)
            if gone.isEmpty, recorder.processes.count <= living.count { break }
        } while ContinuousClock.now - start < .seconds(20)
        #expect(gone.isEmpty)
        let living = try Self.living()
        #expect(recorder.processes.count <= living.count)
        unwinder.stop()
        unwinder.close()
        #expect(samples(recorder.stacks) { _ in true } > 1000)
    }

    private static func living() throws -> Set<Int32> {
        Set(try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) })
    }

    @Test func onlyThreadsThatPassTheFilterAreSampled() throws {
        let programs = [try RunningProgram(Self.busy), try RunningProgram(Self.busy)]
        var filter = SampleFilter()
        filter.threads = [programs[0].id]
        var recorder = try record(filter) { samples($0) { _ in true } >= 50 }
        #expect(Set(recorder.stacks.counts.keys.map(\.space.process)) == [programs[0].id])

        // /usr/bin/sleep is not what is sampled: the name of a thread counts, whatever its program.
        let name = "cfic-name-\(UInt16.random(in: 0 ... 9999))"
        let named = try RunningProgram([
            "/usr/bin/python3", "-c", "open('/proc/self/comm', 'w').write('\(name)')\nwhile True: pass",
        ])
        filter = SampleFilter()
        filter.commands = [name, "no-such-name"]
        recorder = try record(filter) { samples($0) { _ in true } >= 50 }
        #expect(Set(recorder.stacks.counts.keys.map(\.space.process)) == [named.id])
        #expect(Set(recorder.stacks.counts.keys.map(\.command)) == [name])

        filter.threads = [programs[0].id]
        let started = ContinuousClock.now
        recorder = try record(filter) { _ in ContinuousClock.now - started > .milliseconds(300) }
        #expect(recorder.stacks.totals.samples == 0, "both conditions")
    }

    @Test(.enabled(if: HostKernel.takesPrograms && getuid() == 0, "needs root"))
    func cgroupsAreToldAndFiltered() throws {
        // All processes are in cgroups of version 2, whether or not these are mounted.
        var template = Array("/tmp/cfic-cgroup-test.XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let mountPoint = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        try #require(mount("none", mountPoint, "cgroup2", 0, nil) == 0)
        defer {
            umount(mountPoint)
            rmdir(mountPoint)
        }
        let outer = "\(mountPoint)/cfic-test-\(UInt32.random(in: 0 ... .max))"
        let inner = outer + "/inner"
        for path in [outer, inner] { try #require(mkdir(path, 0o755) == 0) }
        defer { for path in [inner, outer] { rmdir(path) } }
        var programs: [RunningProgram] = []
        for path in [inner, nil] {
            let program = try RunningProgram(Self.busy)
            programs.append(program)
            guard let path else { continue }
            try "\(program.id)".write(toFile: path + "/cgroup.procs", atomically: false, encoding: .utf8)
        }
        var status = stat()
        try #require(stat(inner, &status) == 0)
        for path in [outer, inner] {
            var filter = SampleFilter()
            filter.cgroup = path
            let recorder = try record(filter) { samples($0) { _ in true } >= 50 }
            #expect(Set(recorder.stacks.counts.keys.map(\.space.process)) == [programs[0].id])
            #expect(Set(recorder.stacks.counts.keys.map(\.cgroup)) == [UInt64(status.st_ino)])
            if Cgroups() != nil {
                #expect(recorder.cgroups[UInt64(status.st_ino)] == String(inner.dropFirst(mountPoint.count)))
            }
        }
        let inside = programs.removeFirst()
        kill(inside.id, SIGKILL)
        // The directory can be removed when the process is gone.
        for _ in 0..<500 where (try? String(contentsOfFile: inner + "/cgroup.procs", encoding: .utf8)) != "" {
            usleep(10_000)
        }
    }

    @Test func pathThatIsNoCgroupIsATypedError() throws {
        for (path, code) in [("/", EBADF), ("/missing", ENOENT), ("/etc/passwd", ENOTDIR)] {
            var options = KernelUnwinder.Options()
            options.filter.cgroup = path
            let error = #expect(throws: KernelError.self) {
                try KernelUnwinder(tables: CompilingSupply(store: nil), options)
            }
            guard case .cgroup(path, errno: code) = error else { throw TestFailure("\(String(describing: error))") }
        }
    }
}
