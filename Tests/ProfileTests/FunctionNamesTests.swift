import ELF
import Foundation
@testable import KernelUnwinder
import LinuxProcess
@testable import Profile
import Symbols
import TableCompiler
import TestFixtures
import Testing
import Threads

/// Code is named while samples are taken: that of files that no process maps any more, and that of all, to merge stacks.
@Suite struct FunctionNamesTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// A library with a function of this name, mapped by `users` processes.
    private func library(_ function: String, number: Int, users: Int = 0) throws -> ProcessImages.Mapping {
        let path = try fixture.library(
            ".text\n.p2align 12\n.globl \(function)\n.type \(function), @function\n\(function):\n"
                + ".fill 16, 1, 0x90\n.size \(function), 16\n", named: "\(function)-\(number).so")
        let images = try FakeImages.image(ELFImage(path: path), bias: 0x7f00_0000_0000, name: "/opt/lib.so")
        let mapping = try #require(images.mappings.first)
        mapping.image?.users = users
        return mapping
    }

    private func stack(_ address: UInt64, isExact: Bool = true) -> Stacks.Stack {
        Stacks.Stack(
            space: AddressSpace(process: 0, isResolved: true), command: "thread", kernelFrames: [],
            userFrames: [Sample.Frame(address, isExact: isExact)], end: StackEnd(code: 1))
    }

    private func name(
        _ pieces: [ProcessImages.Mapping], in stacks: Stacks, _ purpose: FunctionNaming.Purpose = .closing
    ) throws -> FunctionNames {
        let naming = FunctionNaming(purpose, pieces, in: stacks, WorkerPool(limit: 1))
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60) {
            if let names = naming.names { return names }
            usleep(1000)
        }
        throw TestFailure("they are not named")
    }

    /// Two versions of a library that are gone, and one that is mapped.
    @Test func stacksOfEqualFunctionsInFilesThatAreGoneAreOne() throws {
        var code = CodeSpace(unmappedLimit: 1)
        let pieces = [try library("f", number: 1), try library("f", number: 2), try library("f", number: 3, users: 1)]
        let addresses = pieces.map { code.address(of: $0.start + 4, in: $0) }
        var stacks = Stacks()
        for (index, address) in addresses.enumerated() {
            let number = stacks.number(of: stack(address))
            for _ in 0...index { stacks.add(number) }
            stacks.add(stack(address, isExact: false))
        }
        let before = stacks.number(of: stack(addresses[1]))
        let unmapped = code.takeUnmapped()
        #expect(unmapped.map(\.start) == [addresses[0] & ~0xfff, addresses[1] & ~0xfff])
        let named = try name(unmapped, in: stacks)
        var processes = ProcessHistories(code: code)
        let renumbered = processes.moveFrames(of: &stacks, to: named)
        processes.close(unmapped)

        // 1 + 2 samples at the instruction, 2 at return addresses; and those in the file that is mapped.
        #expect(stacks.counts.values.sorted() == [1, 2, 3, 3])
        let symbolizer = Symbolizer(processes)
        for stack in stacks.all {
            #expect(symbolizer.name(of: stack.userFrames[0], in: stack.space) == "f")
        }
        let merged = try #require(stacks.counts.first { $0.key.userFrames[0].isExact && $0.key != stack(addresses[2]) })
        #expect(renumbered(before) == stacks.number(of: merged.key) && merged.value == 3)
        #expect(processes.code.images.mappings.count == 1 && processes.code.openCount == 1)
    }

    @Test(arguments: [true, false]) func functionsOfFilesThatAreGoneAreDemangled(demangles: Bool) throws {
        var code = CodeSpace(unmappedLimit: 0)
        let file = try library("_ZN3app1fEi", number: 1)
        var stacks = Stacks()
        stacks.add(stack(code.address(of: file.start, in: file)))
        let unmapped = code.takeUnmapped()
        let named = try name(unmapped, in: stacks)
        var processes = ProcessHistories(code: code)
        _ = processes.moveFrames(of: &stacks, to: named)
        processes.close(unmapped)
        for atOnce in [true, false] {
            let symbolizer = Symbolizer(processes, demangles: demangles)
            if atOnce { symbolizer.nameAll(stacks) }
            let stack = try #require(stacks.all.first), frame = stack.userFrames[0]
            #expect(symbolizer.name(of: frame, in: stack.space) == (demangles ? "app::f(int)" : "_ZN3app1fEi"))
            #expect(symbolizer.mangledName(of: frame, in: stack.space) == (demangles ? "_ZN3app1fEi" : nil))
        }
    }

    /// Of a file that is still mapped, of the kernel, and of nothing that has a name.
    @Test func stacksThatDifferByInstructionAreMerged() throws {
        var code = CodeSpace()
        let file = try library("f", number: 1, users: 1)
        let start = code.address(of: file.start, in: file)
        let kernel = KernelSymbols()
        let function = try #require(Self.kernelFunction, "the kernel's symbols can't be read")
        var stacks = Stacks()
        var waiting = stack(start + 5)
        waiting.isWaiting = true
        for offset: UInt64 in 0..<4 { stacks.add(stack(start + offset)) }
        for offset: UInt64 in 1..<4 { stacks.add(stack(start + offset, isExact: false)) }
        stacks.add(waiting, waited: 2.5)
        waiting.userFrames = [Sample.Frame(start + 6, isExact: true)]
        stacks.add(waiting, waited: 4)
        // An address of a process's own, which is no address of the common space.
        var own = stack(start + 1)
        own.space.isResolved = false
        stacks.add(own)
        var inKernel = [stack(start + 7), stack(start + 8)]
        (inKernel[0].kernelFrames, inKernel[1].kernelFrames) = ([function + 1, 7], [function, 7])
        for stack in inKernel { stacks.add(stack) }
        let (exact, other) = (stacks.number(of: stack(start + 2)), stacks.number(of: own))
        let before = stacks.totals

        var processes = ProcessHistories(code: code)
        let names = try name(processes.openPieces, in: stacks, .merging)
        let renumbered = processes.moveFrames(of: &stacks, to: names)
        #expect(stacks.counts.values.sorted() == [1, 2, 2, 3, 4] && stacks.counts[own] == 1)
        #expect(renumbered(other) == stacks.number(of: own))
        let merged = try #require(stacks.counts.first { $0.value == 4 }?.key)
        #expect(renumbered(exact) == stacks.number(of: merged) && merged.userFrames[0].isExact)
        let wait = try #require(stacks.all.first { $0.isWaiting })
        #expect(stacks.waited[wait] == 6.5)
        let called = try #require(stacks.all.first { !$0.kernelFrames.isEmpty })
        #expect(called.kernelFrames == [function, 7] && kernel.function(at: function) != nil)
        let symbolizer = Symbolizer(processes)
        for stack in stacks.all where stack != own {
            #expect(symbolizer.name(of: stack.userFrames[0], in: stack.space) == "f")
        }
        // The file stays open for frames to come, and what is counted doesn't change.
        #expect(processes.openPieces.count == 1)
        let after = stacks.totals
        #expect(after.samples == before.samples && after.userFrames == before.userFrames)
        #expect(after.waited == before.waited && after.kernelFrames == before.kernelFrames)
        for outcome: StackOutcome in [.complete, .guessed, .truncated] {
            #expect(stacks.samples(outcome) == after.outcomes[outcome, default: 0])
        }
    }

    /// The first address of a function of the kernel that has more than one byte; nil if addresses can't be read.
    private static let kernelFunction: UInt64? = {
        let kernel = KernelSymbols()
        let text = (try? String(contentsOfFile: "/proc/kallsyms", encoding: .utf8)) ?? ""
        let addresses = text.split(separator: "\n").lazy.filter { $0.contains(" T ") }
            .compactMap { UInt64($0.prefix { $0 != " " }, radix: 16) }
        return addresses.first { kernel.start(ofFunctionAt: $0 + 1) == $0 }
    }()

    /// A program that is in another of 20,000 instructions at each sample.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
    func stacksOfALongRecordingAreMerged() throws {
        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        options.filter.commands = ["many"]
        let directory = fixture.directory
        try """
        #define REPEAT(n) asm volatile(".rept " #n "\\n nop\\n .endr")
        __attribute__((noinline)) void leaf(void) { REPEAT(20000); }
        int main(void) { for (;;) { leaf(); asm volatile(""); } }
        """.write(toFile: "\(directory)/many.c", atomically: false, encoding: .utf8)
        try run(words: ["gcc", "-O1", "-o", "many", "many.c"], in: directory)
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        defer { unwinder.close() }
        let recorder = Recorder(unwinder, tellsProcessesApart: false, tellsInstructionsApart: false)
        recorder.mergeLimit = 1
        try unwinder.start(.clock, frequency: 4999)
        let program = try RunningProgram(["\(directory)/many"])
        let start = ContinuousClock.now
        func ofProgram() -> [(stack: Stacks.Stack, samples: Int)] {
            recorder.stacks.counted.filter { $0.stack.command == "many" && $0.samples > 0 }
        }
        // One stack has the samples of many instructions.
        while !ofProgram().contains(where: { $0.samples >= 100 }), ContinuousClock.now - start < .seconds(600) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.stop()
        try withExtendedLifetime(program) { try recorder.collect() }
        let names = Symbolizer(recorder.processes)
        let most = try #require(ofProgram().max { $0.samples < $1.samples })
        #expect(most.samples >= 100)
        #expect(names.name(of: most.stack.userFrames[0], in: most.stack.space) == "leaf")
    }

    /// A sample may come after the files were chosen, and before they are closed.
    @Test func codeOfAFileThatIsSampledAgainIsAnotherPiece() throws {
        var code = CodeSpace(unmappedLimit: 1)
        let file = try library("f", number: 1)
        let first = code.address(of: file.start, in: file)
        let unmapped = code.takeUnmapped()
        let second = code.address(of: file.start, in: file)
        code.close(unmapped)
        #expect(unmapped.count == 1 && first != second)
        #expect(code.images.mapping(at: first) == nil && code.images.mapping(at: second)?.image === file.image)
    }

    /// Those that were used last may be used again.
    @Test func fewFilesStayOpen() throws {
        var code = CodeSpace(unmappedLimit: 4)
        let files = try (0..<6).map { try library("f", number: $0, users: $0 == 0 ? 1 : 0) }
        for file in files[..<4] { _ = code.address(of: file.start, in: file) }
        // Three aren't mapped.
        #expect(code.takeUnmapped().isEmpty)
        _ = code.address(of: files[4].start, in: files[4])
        _ = code.address(of: files[1].start, in: files[1])
        let taken = code.takeUnmapped()
        #expect(zip(taken, files[2...3]).allSatisfy { $0.image === $1.image } && taken.count == 2)
        code.close(taken)
        _ = code.address(of: files[5].start, in: files[5])
        #expect(code.takeUnmapped().isEmpty && code.openCount == 4)
    }

    /// A process opens, uses and closes one library after the other, each of them another file.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
    func descriptorsAreNotInProportionToTheFilesThatWereMapped() throws {
        let count = 1200
        let source = """
            #include <dlfcn.h>
            #include <stdio.h>
            #include <time.h>
            int work(void)
            {
                struct timespec time;
                long end;
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
                end = time.tv_nsec + time.tv_sec * 1000000000 + 10000000;
                do
                    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
                while (time.tv_nsec + time.tv_sec * 1000000000 < end);
                return 0;
            }
            int main(void)
            {
                char name[64];
                for (int i = 0; i < \(count); i++) {
                    sprintf(name, "\(fixture.directory)/lib%d.so", i);
                    void *library = dlopen(name, RTLD_NOW);
                    ((int (*)(void))dlsym(library, "work"))();
                    dlclose(library);
                }
                puts("done");
                fflush(stdout);
                return getchar();
            }
            """
        try source.write(toFile: "\(fixture.directory)/turns.c", atomically: false, encoding: .utf8)
        let directory = fixture.directory
        try run(words: ["gcc", "-O2", "-o", "turns", "turns.c"], in: directory)
        try run(words: ["gcc", "-O2", "-shared", "-fPIC", "-o", "lib.so", "turns.c"], in: directory)
        try run("bash", "-c", "for i in {0..\(count - 1)}; do cp lib.so lib$i.so; done", in: directory)

        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        // Naming the functions of a large program takes long.
        options.filter.commands = ["turns"]
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        let recorder = Recorder(unwinder, tellsProcessesApart: false, keepsTimes: true)
        let began = MonotonicClock.now
        try unwinder.start(.clock, frequency: 999)
        let program = try RunningProgram(["\(directory)/turns"])
        let start = ContinuousClock.now
        var (hasEnded, open, files) = (false, [String](), Set<String>())
        // If it is busy, the closing takes longer than the opening.
        while !hasEnded || open.count > 450, ContinuousClock.now - start < .seconds(100) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
            open = openFiles(in: directory)
            files.formUnion(open)
            if !hasEnded, try program.lineIfAny() != nil { hasEnded = true }
        }
        unwinder.stop()
        try recorder.collect()
        unwinder.close()
        // Not each is sampled while it is mapped.
        #expect(hasEnded && files.count > 600 && open.count <= 450, "\(files.count) files, \(open.count) at the end")
        // Stacks were renumbered at each closing.
        try recorder.expectTimeline(from: began)
        let names = Symbolizer(recorder.processes)
        let own = recorder.stacks.counts.filter { $0.key.command == "turns" }
        let inWork = own.filter { stack, _ in
            stack.userFrames.contains { names.name(of: $0, in: stack.space) == "work" }
        }
        #expect(inWork.values.reduce(0, +) * 2 > own.values.reduce(0, +), "\(own.count)")
    }

    /// The files in a directory that this process has descriptors of.
    private func openFiles(in directory: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
            .filter { $0.hasPrefix(directory + "/lib") }
    }
}
