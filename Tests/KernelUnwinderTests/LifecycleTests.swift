import CLibbpf
import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing

/// The kernel's objects while an unwinder is open, and afterwards.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct LifecycleTests {
    /// The kernel's id of an object, from /proc's information about its descriptor.
    private func id(_ key: String, _ descriptor: Int32) throws -> UInt32 {
        let text = try String(contentsOfFile: "/proc/self/fdinfo/\(descriptor)", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(key):") }
        return try #require(line.flatMap { UInt32($0.dropFirst(key.count + 1).trimmingCharacters(in: .whitespaces)) })
    }

    private func isThere(_ id: UInt32, _ open: (UInt32) -> Int32) -> Bool {
        let descriptor = open(id)
        guard descriptor >= 0 else { return false }
        Glibc.close(descriptor)
        return true
    }

    /// The kernel frees maps and BPF programs only when no CPU can be using them any more.
    private func waitUntilGone(_ ids: [UInt32], _ open: (UInt32) -> Int32) -> [UInt32] {
        var left = ids
        for _ in 0..<300 {
            left = left.filter { isThere($0, open) }
            if left.isEmpty { break }
            usleep(10_000)
        }
        return left
    }

    @Test func closingLeavesNothingInTheKernel() throws {
        var programs: [UInt32] = [], maps: [UInt32] = []
        do {
            var options = KernelUnwinder.Options()
            options.batches = true
            let unwinder = try KernelUnwinder(options)
            try unwinder.start(.clock, frequency: 99)
            try unwinder.addProcess(getpid())
            let machine = try KernelUnwinder.hostMachine
            let names =
                ["profile", "look_up", "walk_stack"].map { "\($0)_\(machine)" } + ["follow_fork", "follow_exec"]
            for name in names {
                programs.append(try id("prog_id", bpf_program__fd(try unwinder.object.program(name))))
            }
            for name in ["element_maps", "processes", "samples", "counters", "walks", "recent_rules", "batches"] {
                maps.append(try id("map_id", try unwinder.object.map(name)))
            }
            // Maps with tables.
            var first: UInt32 = 0, table: UInt32 = 0
            #expect(bpf_map_lookup_elem(try unwinder.object.map("element_maps"), &first, &table) == 0)
            maps.append(table)
            for id in programs { #expect(isThere(id, bpf_prog_get_fd_by_id)) }
            for id in maps { #expect(isThere(id, bpf_map_get_fd_by_id)) }
        }
        #expect(waitUntilGone(programs, bpf_prog_get_fd_by_id) == [])
        #expect(waitUntilGone(maps, bpf_map_get_fd_by_id) == [])
    }

    @Test func onlyThisMachinesProgramsAreLoaded() throws {
        let machine = try KernelUnwinder.hostMachine
        let names = try KernelUnwinder().verifiedPrograms.map(\.name).sorted()
        #expect(names == ["follow_exec", "follow_fork", "profile_\(machine)"])
    }

    @Test func verifierTakesFarLessThanItsLimit() throws {
        var options = KernelUnwinder.Options()
        options.batches = true
        for program in try KernelUnwinder(options).verifiedPrograms {
            let instructions = try #require(program.instructions, "\(program.name): \(program.log)")
            #expect(instructions > 0 && instructions < 500_000, "\(program.name)")
        }
    }

    @Test func severalUnwindersAreOpenAtOnce() throws {
        var options = KernelUnwinder.Options()
        // Other tests create processes meanwhile.
        options.followsChildren = false
        let unwinders = try (0..<3).map { _ in try KernelUnwinder(options) }
        for unwinder in unwinders {
            try unwinder.start(.clock, frequency: 99)
            try unwinder.addProcess(getpid())
        }
        for unwinder in unwinders {
            var count = 0
            let clock = ContinuousClock.now
            while count == 0, ContinuousClock.now - clock < .seconds(10) {
                count += try unwinder.readSamples { #expect($0.process == getpid()) }
            }
            #expect(count > 0)
            unwinder.close()
        }
    }

    @Test func samplingCanBeStoppedAndStartedAgain() throws {
        let unwinder = try KernelUnwinder()
        try unwinder.addProcess(getpid())
        for _ in 0..<2 {
            try unwinder.start(.clock, frequency: 999)
            // A child is only noticed by an unwinder that watches.
            let child = try RunningProgram(["/bin/sleep", "1000"])
            #expect(unwinder.isListed(child.id))
            unwinder.removeProcess(child.id)
            unwinder.stop()
            // Another thread's child that hasn't called exec yet keeps descriptors open for a moment.
            var isListed = true
            for _ in 0..<100 where isListed {
                isListed = unwinder.isListed(try RunningProgram(["/bin/sleep", "1000"]).id)
            }
            #expect(!isListed)
        }
    }

    @Test func childrenAreLeftOutWhereThatIsAskedFor() throws {
        var options = KernelUnwinder.Options()
        options.followsChildren = false
        let unwinder = try KernelUnwinder(options)
        try unwinder.watchProcesses()
        try unwinder.addProcess(getpid())
        let child = try RunningProgram(["/bin/sleep", "1000"])
        #expect(!unwinder.isListed(child.id) && unwinder.isListed(getpid()))
    }

    @Test func countersRise() throws {
        let unwinder = try KernelUnwinder()
        #expect(try unwinder.counters().samples == 0)
        try unwinder.start(.clock, frequency: 999)
        try unwinder.addProcess(getpid())
        let clock = ContinuousClock.now
        var taken = 0
        while taken < 10, ContinuousClock.now - clock < .seconds(10) { taken += try unwinder.readSamples { _ in } }
        unwinder.stop()
        taken += try unwinder.readSamples { _ in }
        let counters = try unwinder.counters()
        #expect(Int(counters.samples) == taken && counters.lost == 0)
        #expect(counters.ends.reduce(0, +) == counters.samples)
        #expect(counters.userFrames >= counters.lookups && counters.lookups > 0)
    }

    @Test func fullRingBufferIsCounted() throws {
        var options = KernelUnwinder.Options()
        options.sampleBytes = 4096
        let unwinder = try KernelUnwinder(options)
        try unwinder.start(.clock, frequency: 5000)
        try unwinder.addProcess(getpid())
        let clock = ContinuousClock.now
        while try unwinder.counters().lost == 0, ContinuousClock.now - clock < .seconds(10) {}
        unwinder.stop()
        let counters = try unwinder.counters()
        let read = try unwinder.readSamples { _ in }
        #expect(counters.lost > 0)
        #expect(UInt64(read) == counters.samples - counters.lost)
    }
}
