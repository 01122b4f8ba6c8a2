import CLibbpf
import CUnwindTable
import Glibc
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Whether a BPF program that runs in its own page fault is left out (Linux 6.2), and registers have x86-64's numbers.
private var canInterrupt: Bool {
    #if arch(x86_64)
        let numbers = KernelUnwinder.kernelRelease.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return HostKernel.takesPrograms && numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 2)
    #else
        return false
    #endif
}

/// BPF programs that interrupt one another on a CPU.
///
/// The program that interrupts is attached to the tracepoint of page faults in the kernel, and the interrupted walk's
/// stack is next to memory that can't be read: each attempt to read it is a page fault.
@Suite(
    .enabled(if: canInterrupt, "\(HostKernel.need), x86-64, and Linux 6.2 for programs that fault themselves"),
    .timeLimit(.minutes(30)))
struct ContextTests {
    private static let process: Int32 = .max
    private static let start: UInt64 = 0x10_0000
    private static let biases: [UInt64] = [0xffff_8000_0000_0000, 0xffff_9000_0000_0000]

    /// Walks a stack while a program of another part walks another one, for each of its frames.
    ///
    /// - Parameter isWanted: whether the walks are those to return.
    private func walk(
        interruptedBy part: KernelObject.Part, until isWanted: (Walks) -> Bool
    ) throws -> Walks {
        var options = KernelUnwinder.Options()
        options.batches = true
        let unwinder = try KernelUnwinder(options)
        let object = try KernelObject(options, part: part, sharing: unwinder.object)
        let batches = [try unwinder.makeBatch(), try Batch(object)]
        // The return address is at the stack pointer.
        let table = try MadeTable([.init(Self.start, length: 64, [.init(0, 8)])])
        let page = 4096
        let stacks = [StackMemory(words: 2 * page / 8, protectedWords: page / 8), StackMemory(words: page / 8)]
        defer { withExtendedLifetime((stacks, object)) {} }
        for index in 0..<2 {
            let process = Self.process - Int32(index), code = Self.biases[index] + Self.start
            try unwinder.map(table.view, at: Self.biases[index], in: process)
            let size = index == 0 ? 16 : 24
            for word in 0..<size { stacks[index][page - 8 * (size - word)] = word == size - 1 ? 0 : code + 1 }
            let batch = batches[index].shared
            (batch.pointee.process, batch.pointee.count, batch.pointee.pc) = (UInt32(process), 1, code)
            batches[index].registers[7] = stacks[index].address + UInt64(page - 8 * size)
        }
        let program = try object.program("walk_stack_\(try KernelUnwinder.hostMachine.programSuffix)")
        let link = try #require(bpf_program__attach_raw_tracepoint(program, "page_fault_kernel"))
        defer { bpf_link__destroy(link) }
        // Page faults of other processes run the program, too, and its batch then has the last one's walk.
        var found = Walks()
        for _ in 0..<1000 where !isWanted(found) {
            let before = try unwinder.counters().otherReads
            try batches[0].walk()
            let frames = batches.map { batch in
                (0..<Int(batch.shared.pointee.sample.user_count)).dropFirst().map {
                    Sample.Frame(word: batch.frames[$0]).pc
                }
            }
            found = Walks(outer: frames[0], inner: frames[1], counted: try unwinder.counters().otherReads - before)
        }
        return found
    }

    /// The walks' frames, without the innermost one, and the reads of single words.
    private struct Walks {
        var outer: [UInt64] = []
        var inner: [UInt64] = []
        var counted: UInt64 = 0
    }

    private static func expected(_ index: Int, _ count: Int) -> [UInt64] {
        Array(repeating: biases[index] + start + 1, count: count)
    }

    /// As the program for waits is loaded.
    @Test func walkIsNotDisturbedByOneThatInterruptsIt() throws {
        let found = try walk(
            interruptedBy: .init(
                hasProgram: { $0 == "walk_stack" }, ownMaps: KernelObject.Part.walkMaps.union(["batches"]))
        ) { found in
            // One that is disturbed isn't passed over.
            !found.outer.isEmpty && found.outer != Self.expected(0, 15) || found.inner == Self.expected(1, 23)
        }
        #expect(found.outer == Self.expected(0, 15))
        // It was interrupted.
        #expect(found.inner == Self.expected(1, 23) && found.counted >= 15)
    }

    /// What the other test would find if both programs had the same state.
    @Test func walkInTheSameStateIsDisturbed() throws {
        let own = KernelObject.Part.walkMaps.subtracting(["walks"]).union(["batches"])
        let found = try walk(interruptedBy: .init(hasProgram: { $0 == "walk_stack" }, ownMaps: own)) { found in
            !found.outer.isEmpty && found.outer != Self.expected(0, 15)
        }
        #expect(!found.outer.isEmpty && found.outer != Self.expected(0, 15))
    }

    @Test func programForWaitsSharesAllButTheStateOfAWalk() throws {
        var options = KernelUnwinder.Options()
        options.waits = WaitSampling()
        let unwinder = try KernelUnwinder(options)
        let waits = try #require(unwinder.waits)
        func id(_ map: String, _ object: KernelObject) throws -> UInt32 {
            var info = bpf_map_info(), size = UInt32(MemoryLayout<bpf_map_info>.size)
            try #require(bpf_obj_get_info_by_fd(try object.map(map), &info, &size) == 0)
            return info.id
        }
        for map in ["element_maps", "processes", "samples", "wanted_threads", "wanted_commands", "wanted_cgroup"] {
            #expect(try id(map, unwinder.object) == id(map, waits.object), "\(map)")
        }
        for map in ["walks", "recent_rules", "counters"] {
            #expect(try id(map, unwinder.object) != id(map, waits.object), "\(map)")
        }
    }
}
