import CUnwindTable
import ELF
import Foundation
@testable import KernelUnwinder
import LinuxProcess
import TestFixtures
import Testing
import UnwindTable

/// Processes, and what the BPF programs know about them.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct ProcessTests {
    private static let sources =
        #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        + "/testdata/programs"

    private func sleeper(_ path: String = "/bin/sleep") throws -> RunningProgram { try RunningProgram([path, "1000"]) }

    private func expect<Value>(
        _ expected: (KernelError) -> Bool, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Value
    ) {
        #expect(sourceLocation: sourceLocation) {
            _ = try body()
        } throws: { ($0 as? KernelError).map(expected) == true }
    }

    /// Waits until a new process has executed a file.
    private func images(
        _ unwinder: KernelUnwinder, _ program: RunningProgram, running path: String
    ) throws -> ProcessImages {
        for _ in 0..<500 {
            let images = try unwinder.addProcess(program.id)
            if images.mappings.contains(where: { $0.name.hasPrefix(path) }),
                images.mappings.contains(where: { $0.name.contains("libc") })
            {
                return images
            }
            usleep(2000)
        }
        throw TestFailure("\(path) does not run")
    }

    // MARK: Lost events

    /// Also those that only the BPF programs know, but not those that were sampled.
    @Test func processesAreForgottenWhenEventsAreLost() throws {
        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        let unwinder = try KernelUnwinder(options)
        let program = try sleeper()
        _ = try images(unwinder, program, running: "/usr/bin/sleep")
        let sampled = try sleeper()
        _ = try images(unwinder, sampled, running: "/usr/bin/sleep")
        try unwinder.expectProcess(1 << 21)
        let changes = unwinder.update([ProcessEvent(process: 0, kind: .lost, time: 5)]) { [sampled.id] }
        guard case .forgotten([sampled.id]) = changes.first?.kind else { throw TestFailure("\(changes)") }
        #expect(Array(unwinder.trackedProcesses) == [sampled.id])
        #expect(Array(unwinder.listed().places.keys) == [sampled.id])
        // They are read again when they are sampled.
        let again = try unwinder.addProcess(program.id)
        #expect(!again.mappings.isEmpty && unwinder.isListed(program.id))
    }

    // MARK: Lookups

    @Test func everythingThatAProcessMapsIsLookedUpInItsOwnTable() throws {
        let program = try sleeper()
        let lookups = try KernelLookups()
        let images = try images(lookups.unwinder, program, running: "/usr/bin/sleep")
        var tables = 0
        for mapping in images.mappings {
            guard let image = mapping.image, let file = image.image else { continue }
            #expect(image.hasTable, "\(image.name): \(image.problem ?? "")")
            let table = try CompiledImage(file, search: DebugFileSearch())
            var random = SeededGenerator(seed: 3)
            let addresses = (0..<20_000).map { _ in
                UInt64.random(in: mapping.start..<mapping.end, using: &random) &- mapping.bias
            }
            try lookups.requireSame(table.view, at: addresses, bias: mapping.bias, in: program.id)
            tables += 1
        }
        // The executable, the C library, the loader and the vDSO.
        #expect(tables >= 4)
        #expect(lookups.unwinder.memoryUse.tables == tables)
    }

    /// By default, a process can have 65,530 mappings.
    @Test(arguments: [1, 128, 4096, 65_000])
    func mappingsOfAFileAreAllLookedUp(count: Int) throws {
        let fixture = try Fixture()
        let library = try fixture.library(
            String(
                decoding: try contents(Self.sources + "/../x86_64/many-rows.s"), as: UTF8.self))
        let (program, image) = try mapper(fixture, library, count)
        let lookups = try KernelLookups()
        let images = try lookups.unwinder.addProcess(program.id)
        let mappings = images.mappings.filter { $0.name == library }
        try #require(mappings.count == count)
        let table = try CompiledImage(image)
        var expected: [Rule] = [], addresses: [UInt64] = []
        var random = SeededGenerator(seed: 5)
        for mapping in mappings {
            let between = (0..<8).map { _ in UInt64.random(in: mapping.start..<mapping.end, using: &random) }
            for address in [mapping.start, mapping.end - 1] + between {
                addresses.append(address)
                expected.append(table.view.rule(at: address &- mapping.bias))
            }
        }
        let found = try lookups.rules(at: addresses, in: program.id)
        let wrong = zip(found, expected).count { $0.step != CFIC_STEP_CALLER || $0.rule != $1 }
        #expect(wrong == 0)
        #expect(expected.contains { $0.cfaKind != .unknown })
        // Mappings take memory for each process, tables don't.
        #expect(lookups.unwinder.memoryUse.tables <= 6)
    }

    @Test func ofMoreMappingsThanAProcessCanHaveThoseThatFitAreUsed() throws {
        let fixture = try Fixture()
        let library = try fixture.library(".text\n.cfi_startproc\nret\n.cfi_endproc\n")
        let (program, _) = try mapper(fixture, library, 1000)
        let lookups = try KernelLookups()
        lookups.unwinder.mappingLimit = 1000
        var problems: [String] = []
        lookups.unwinder.onProblem = { problems.append($0) }
        let images = try lookups.unwinder.addProcess(program.id)
        try lookups.unwinder.addProcess(program.id)
        #expect(
            problems.count == 1 && problems.first?.contains("exceeds the limit of 1000 executable mappings") == true)
        // The executable and the C library are larger than the library that is mapped many times.
        for mapping in images.mappings where mapping.name.contains("libc.so") || mapping.name.contains("many-mappings")
        {
            let found = try lookups.rules(at: [mapping.start &+ 0x800], in: program.id)
            #expect(found[0].step != CFIC_STEP_NO_MAPPING, "\(mapping.name)")
        }
        // Another process may get the id.
        lookups.unwinder.removeProcess(program.id)
        try lookups.unwinder.addProcess(program.id)
        #expect(problems.count == 2)
    }

    /// Limits of open files or memory: what there is remains in use, and the kernel isn't asked each time.
    @Test(arguments: [EMFILE, ENOMEM, ENOSPC]) func elementThatCannotBeMadeTakesNothing(code: Int32) throws {
        let unwinder = try KernelUnwinder()
        var problems: [String] = []
        unwinder.onProblem = { problems.append($0) }
        let memory = unwinder.memory
        let make = memory.makeMap
        let used = unwinder.memoryUse.used
        memory.makeMap = { -code }
        for _ in 0..<3 {
            expect({ if case .overBudget(4_194_304) = $0 { true } else { false } }) {
                try memory.allocateElements(words: 3 * Int(CFIC_ELEMENT_SIZE) / 4)
            }
            #expect(unwinder.memoryUse.used == used && unwinder.memoryUse.refusals == 1)
            #expect(memory.limit == 4 << 20)
            memory.free(try memory.allocate(words: 1024))
        }
        #expect(problems.count == 1 && problems[0].contains("no more memory for tables"), "\(problems)")
        memory.makeMap = make
        memory.liftLimit()
        #expect(memory.limit == 256 << 20)
        let span = try memory.allocateElements(words: 3 * Int(CFIC_ELEMENT_SIZE) / 4)
        #expect(unwinder.memoryUse.used == used + 3 * Int(CFIC_ELEMENT_SIZE))
        memory.free(span)
        #expect(unwinder.memoryUse.used == used)
    }

    /// A process that maps the library's code `count` times.
    private func mapper(_ fixture: Fixture, _ library: String, _ count: Int) throws -> (RunningProgram, ELFImage) {
        let path = "\(fixture.directory)/many-mappings"
        try run("gcc", "-O1", "-o", path, Self.sources + "/many-mappings.c")
        let image = try ELFImage(path: library)
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let offset = segment.offset & ~0xfff
        let size = segment.offset - offset + segment.fileSize
        let program = try RunningProgram([path, library, "\(offset)", "\(size)", "\(count)"])
        #expect(try program.line() == "ready")
        return (program, image)
    }

    // MARK: Sharing

    @Test func processesShareTablesAndTheLastOneTakesThemAlong() throws {
        let unwinder = try KernelUnwinder()
        let empty = unwinder.memoryUse
        let programs = try (0..<5).map { _ in try sleeper() }
        _ = try images(unwinder, programs[0], running: "/usr/bin/sleep")
        let one = unwinder.memoryUse
        #expect(one.tables >= 3 && one.used > empty.used)
        for program in programs.dropFirst() { _ = try images(unwinder, program, running: "/usr/bin/sleep") }
        let five = unwinder.memoryUse
        #expect(five.tables == one.tables)
        #expect(five.used - one.used < 5 * 8192)
        for program in programs.dropFirst() { unwinder.removeProcess(program.id) }
        unwinder.retireUnused()
        unwinder.memory.reclaim()
        #expect(unwinder.memoryUse.used == one.used && unwinder.memoryUse.tables == one.tables)
        unwinder.removeProcess(programs[0].id)
        unwinder.retireUnused()
        unwinder.memory.reclaim()
        #expect(unwinder.memoryUse.used == empty.used && unwinder.memoryUse.tables == 0)
        #expect(unwinder.memoryUse.fileBytes == 0)
        // All of it is available to the next process.
        _ = try images(unwinder, programs[1], running: "/usr/bin/sleep")
        #expect(unwinder.memoryUse.used == one.used && unwinder.memoryUse.mapped == one.mapped)
    }

    @Test func processThatIsAddedAgainTakesNoMore() throws {
        let program = try sleeper()
        let unwinder = try KernelUnwinder()
        _ = try images(unwinder, program, running: "/usr/bin/sleep")
        let used = unwinder.memoryUse.used
        for _ in 0..<10 { try unwinder.addProcess(program.id) }
        #expect(unwinder.memoryUse.used == used)
        #expect(Array(unwinder.trackedProcesses) == [program.id])
    }

    @Test func memoryIsTakenBackWithoutBeingAsked() throws {
        let unwinder = try KernelUnwinder()
        var most = 0
        for turn in 0..<300 {
            let program = try sleeper()
            _ = try unwinder.addProcess(program.id)
            unwinder.removeProcess(program.id)
            if turn == 150 { most = unwinder.memoryUse.used }
        }
        #expect(unwinder.memoryUse.used < most + (1 << 20))
        #expect(unwinder.memoryUse.mapped == 4 << 20)
    }

    // MARK: Processes that are not as others

    @Test func processThatDoesNotExistIsSaidToBeNone() throws {
        let unwinder = try KernelUnwinder()
        expect({ if case .process(.noSuchProcess(0x7fff_fff0)) = $0 { true } else { false } }) {
            try unwinder.addProcess(0x7fff_fff0)
        }
        #expect(!unwinder.isListed(0x7fff_fff0))
    }

    @Test func processThatDiesWhileItIsReadIsNoTrouble() throws {
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        for turn in 0..<60 {
            let program = try RunningProgram(["/bin/true"])
            usleep(UInt32(turn * 30))
            do {
                try unwinder.addProcess(program.id)
            } catch KernelError.process(.noSuchProcess) {}
            program.waitUntilExit()
        }
        for _ in 0..<50 {
            _ = unwinder.update(unwinder.processEvents())
            if unwinder.trackedProcesses.isEmpty { break }
            usleep(10_000)
        }
        #expect(unwinder.trackedProcesses.isEmpty)
    }

    @Test func threadOfTheKernelMapsNothing() throws {
        let unwinder = try KernelUnwinder()
        // kthreadd
        let images = try unwinder.addProcess(2)
        #expect(images.mappings.isEmpty && unwinder.isListed(2))
    }

    @Test func programWhoseFileIsGoneIsReadThroughItsMapping() throws {
        let fixture = try Fixture()
        let path = "\(fixture.directory)/gone"
        try run("cp", "/bin/sleep", path)
        let program = try sleeper(path)
        let lookups = try KernelLookups()
        _ = try images(lookups.unwinder, program, running: path)
        lookups.unwinder.removeProcess(program.id)
        lookups.unwinder.retireUnused()
        unlink(path)
        let images = try lookups.unwinder.addProcess(program.id)
        let mapping = try #require(images.mappings.first { $0.name == path + " (deleted)" })
        #expect(mapping.image?.hasTable == true, "\(mapping.image?.problem ?? "no image")")
        let table = try CompiledImage("/bin/sleep", search: DebugFileSearch())
        let first = mapping.start &- mapping.bias
        try lookups.requireSame(
            table.view, at: (0..<5000).map { first + $0 }, bias: mapping.bias, in: program.id)
    }

    /// An upgraded package, of which an old executable still runs.
    @Test func fileThatTookTheNameIsNotTakenForTheProgram() throws {
        let fixture = try Fixture()
        let path = "\(fixture.directory)/replaced"
        try run("cp", "/bin/sleep", path)
        let program = try sleeper(path)
        let unwinder = try KernelUnwinder()
        _ = try images(unwinder, program, running: path)
        unwinder.removeProcess(program.id)
        unwinder.retireUnused()
        try run("cp", "/bin/cat", path + ".new")
        #expect(rename(path + ".new", path) == 0)
        let images = try unwinder.addProcess(program.id)
        let image = try #require(images.mappings.first { $0.name.hasPrefix(path) }?.image?.image)
        #expect(try image.tableKey() == ELFImage(path: "/bin/sleep").tableKey())
    }

    @Test func fileThatIsNoImageHasNoTableAndSaysWhy() throws {
        let fixture = try Fixture()
        let path = try fixture.write([UInt8](repeating: 0x90, count: 8192), to: "code")
        let binary = "\(fixture.directory)/many-mappings"
        try run("gcc", "-O1", "-o", binary, Self.sources + "/many-mappings.c")
        let program = try RunningProgram([binary, path, "0", "8192", "1"])
        #expect(try program.line() == "ready")
        let lookups = try KernelLookups()
        let images = try lookups.unwinder.addProcess(program.id)
        let mapping = try #require(images.mappings.first { $0.name == path })
        #expect(mapping.image == nil)
        let image = try #require(images.images.first { $0.name == path })
        #expect(!image.hasTable && image.problem?.contains("not an ELF file") == true)
        let found = try lookups.rules(at: [mapping.start, mapping.end - 1], in: program.id)
        #expect(found.map(\.step) == [CFIC_STEP_NO_TABLE, CFIC_STEP_NO_TABLE])
    }

    // MARK: Following

    /// An id that once belonged to a listed process may later belong to a child of an unlisted one.
    @Test func childOfAnUnlistedProcessIsNotWhatItsIDWasBefore() throws {
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        // Other processes may take the ids meanwhile.
        for _ in 0..<50 {
            let last = try sleeper().id
            let next = (last + 1...last + 100).filter { kill($0, 0) != 0 }
            for process in next { try unwinder.expectProcess(process) }
            let child = try sleeper()
            defer { for process in next { unwinder.removeProcess(process) } }
            guard next.contains(child.id) else { continue }
            #expect(!unwinder.isListed(child.id))
            #expect(next.contains { unwinder.isListed($0) })
            return
        }
        Issue.record("no process got one of the ids that come next")
    }

    // MARK: Limits

    @Test func moreProcessesThanTheLimitAreRefused() throws {
        var options = KernelUnwinder.Options()
        options.processLimit = 2
        let unwinder = try KernelUnwinder(options)
        let programs = try (0..<3).map { _ in try sleeper() }
        for program in programs.prefix(2) { _ = try images(unwinder, program, running: "/usr/bin/sleep") }
        let used = unwinder.memoryUse.used
        expect({ if case .tooManyProcesses(2) = $0 { true } else { false } }) {
            try unwinder.addProcess(programs[2].id)
        }
        #expect(unwinder.memoryUse.used == used && !unwinder.isListed(programs[2].id))
        unwinder.removeProcess(programs[0].id)
        try unwinder.addProcess(programs[2].id)
        #expect(unwinder.isListed(programs[2].id))
    }

    /// A child for which the map has no room is not sampled, and counted.
    @Test func childBeyondTheLimitIsCounted() throws {
        var options = KernelUnwinder.Options()
        options.processLimit = 1
        let unwinder = try KernelUnwinder(options)
        let shell = try RunningProgram(["/bin/bash", "-c", "echo ready; read x; sleep 1000 & echo $!; read x; kill $!"])
        #expect(try shell.line() == "ready")
        try unwinder.watchProcesses()
        try unwinder.addProcess(shell.id)
        #expect(try unwinder.counters().unlisted == 0)
        try shell.write("go\n")
        let child = try #require(Int32(try shell.line()))
        #expect(try unwinder.counters().unlisted == 1)
        #expect(!unwinder.isListed(child) && unwinder.isListed(shell.id))
        try shell.write("go\n")
    }

    @Test func byDefaultThereIsRoomForAllProcessesOfTheMachine() throws {
        let unwinder = try KernelUnwinder()
        let map = try unwinder.object.map("processes")
        let information = try withExtendedLifetime(unwinder) {
            try String(contentsOfFile: "/proc/self/fdinfo/\(map)", encoding: .utf8)
        }
        #expect(information.contains("\nmax_entries:\t\(ProcessCapacity.limit)\n"), "\(information)")
    }

    @Test func imageThatDoesNotFitTheBudgetHasNoTable() throws {
        let library = try #require(LookupTests.files.first { $0.contains("libLLVM") } ?? LookupTests.files.first)
        try #require(try CompiledImage(library).view.bytes.count > 0)
        let fixture = try Fixture()
        let (program, image) = try mapper(fixture, library, 1)
        let isLarge = try CompiledImage(image).view.bytes.count > 4 << 20
        var options = KernelUnwinder.Options()
        options.tableBudget = 4 << 20
        let unwinder = try KernelUnwinder(options)
        let images = try unwinder.addProcess(program.id)
        let found = try #require(images.images.first { $0.image?.identity == image.identity })
        #expect(found.hasTable != isLarge)
        if isLarge { #expect(found.problem?.contains("4 MiB of kernel memory") == true) }
        // Other images have tables.
        #expect(images.images.contains { $0.name.contains("libc.so") && $0.hasTable })
    }
}
