import ELF
import Foundation
@testable import KernelUnwinder
import LinuxProcess
@testable import Profile
import TableCompiler
import TestFixtures
import Testing
import Threads

/// Files that no process maps any more are named and closed.
@Suite struct UnmappedFileTests {
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

    private func name(_ pieces: [ProcessImages.Mapping], in stacks: Stacks) throws -> UnmappedFiles.Named {
        let files = UnmappedFiles(pieces, in: stacks, WorkerPool(limit: 1))
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60) {
            if let named = files.named { return named }
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
        let renumbered = stacks.map { processes.moveFrames(of: &$0, to: named.functions) }
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
        _ = stacks.map { processes.moveFrames(of: &$0, to: named.functions) }
        processes.close(unmapped)
        for atOnce in [true, false] {
            let symbolizer = Symbolizer(processes, demangles: demangles)
            if atOnce { symbolizer.nameAll(stacks) }
            let stack = try #require(stacks.all.first), frame = stack.userFrames[0]
            #expect(symbolizer.name(of: frame, in: stack.space) == (demangles ? "app::f(int)" : "_ZN3app1fEi"))
            #expect(symbolizer.mangledName(of: frame, in: stack.space) == (demangles ? "_ZN3app1fEi" : nil))
        }
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
