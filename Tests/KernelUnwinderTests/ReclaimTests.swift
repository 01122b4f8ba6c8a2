import CLibbpf
import CUnwindTable
import Glibc
import LinuxProcess
import TestFixtures
import Testing
@testable import KernelUnwinder

/// How long mappings are kept, and the state of processes that have ended.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct ReclaimTests {
    private func sleeper() throws -> RunningProgram { try RunningProgram(["/bin/sleep", "1000"]) }

    /// A shell, and a child that runs no other executable.
    private func shellAndChild(_ unwinder: KernelUnwinder) throws -> (shell: RunningProgram, child: Int32) {
        let script = "echo ready; read x; (kill -STOP $BASHPID) & echo $!; read x"
        let shell = try RunningProgram(["/bin/bash", "-c", script])
        #expect(try shell.line() == "ready")
        try unwinder.watchProcesses()
        try unwinder.addProcess(shell.id)
        try shell.write("\n")
        return (shell, try #require(Int32(try shell.line())))
    }

    private func reclaimAll(_ unwinder: KernelUnwinder) {
        unwinder.retireUnused()
        unwinder.memory.reclaim()
    }

    /// The child is unwound with its parent's mappings, long after the parent has ended.
    @Test func whatAChildInheritedIsKeptAsLongAsTheChild() throws {
        let unwinder = try KernelUnwinder()
        let empty = unwinder.memoryUse
        let (shell, child) = try shellAndChild(unwinder)
        let place = try #require(unwinder.place(of: shell.id))
        try #require(unwinder.place(of: child) == place)
        let number = try #require(unwinder.images(of: shell.id)).number
        let both = unwinder.memoryUse
        unwinder.removeProcess(shell.id)
        for _ in 0..<3 { reclaimAll(unwinder) }
        #expect(unwinder.memoryUse.used == both.used && unwinder.memoryUse.tables == both.tables)
        #expect(unwinder.images(numbered: number) != nil)
        let found = unwinder.memory.pointer(place).load(as: cfic_process.self)
        #expect(found.number == number && found.count > 3)

        unwinder.removeProcess(child)
        reclaimAll(unwinder)
        #expect(unwinder.memoryUse.used == empty.used && unwinder.memoryUse.tables == 0)
        // Unread samples may have been unwound with them.
        _ = unwinder.update([])
        #expect(unwinder.images(numbered: number) != nil)
        _ = unwinder.update([])
        #expect(unwinder.images(numbered: number) == nil)
    }

    @Test func whatAProcessMappedBeforeIsReclaimed() throws {
        let unwinder = try KernelUnwinder()
        let empty = unwinder.memoryUse
        let program = try RunningProgram(["/bin/bash", "-c", "echo ready; read x; exec /bin/sleep 1000"])
        #expect(try program.line() == "ready")
        let bash = try unwinder.addProcess(program.id)
        try program.write("\n")
        // A starting process maps its libraries one after the other.
        for _ in 0..<1000 where unwinder.images(of: program.id)?.number == bash.number {
            try unwinder.addProcess(program.id)
            usleep(2000)
        }
        #expect(unwinder.images(of: program.id)?.number != bash.number)
        unwinder.removeProcess(program.id)
        reclaimAll(unwinder)
        #expect(unwinder.memoryUse.used == empty.used && unwinder.memoryUse.tables == 0)
    }

    /// A BPF program that still reads a retired table finds nothing in it.
    @Test func retiredTableSaysNothing() throws {
        let unwinder = try KernelUnwinder()
        let program = try RunningProgram(["/bin/bash", "-c", "echo ready; read x"])
        #expect(try program.line() == "ready")
        let images = try unwinder.addProcess(program.id)
        let ranges = images.images.flatMap { $0.table?.ranges ?? [] }
        func pageCounts() -> [UInt32] {
            ranges.map { unwinder.memory.pointer($0.place).load(as: cfic_loaded_range.self).page_count }
        }
        #expect(!ranges.isEmpty && pageCounts().allSatisfy { $0 > 0 })
        unwinder.removeProcess(program.id)
        unwinder.retireUnused()
        #expect(pageCounts().allSatisfy { $0 == 0 })
    }

    @Test func freedMemoryIsCleared() throws {
        let memory = try KernelUnwinder().memory
        let span = try memory.allocate(words: 64)
        memset(memory.pointer(span.place), 0xff, 256)
        memory.free(span)
        let again = try memory.allocate(words: 64)
        try #require(again == span)
        #expect(UnsafeRawBufferPointer(start: memory.pointer(span.place), count: 256).allSatisfy { $0 == 0 })
    }

    /// Memory is reclaimed, which means waiting for readers, if there is much of it or nothing else is left.
    @Test func retiredMemoryIsUsedAgain() throws {
        var options = KernelUnwinder.Options()
        options.tableBudget = 2 * Int(CFIC_ELEMENT_SIZE)
        let unwinder = try KernelUnwinder(options)
        let memory = unwinder.memory, part = Int(CFIC_ELEMENT_WORDS) / 8
        for _ in 0..<50 { memory.retire([try memory.allocate(words: part)]) }
        #expect(memory.mappedBytes == Int(CFIC_ELEMENT_SIZE))
        memory.reclaim()

        memory.retire([try memory.allocate(words: 8)])
        let used = memory.usedBytes
        _ = try memory.allocate(words: 8)
        #expect(memory.usedBytes == used + 32)

        var spans: [Span] = []
        while let span = try? memory.allocate(words: part) { spans.append(span) }
        try #require(spans.count > 8)
        memory.retire(Array(spans.prefix(1)))
        _ = try memory.allocate(words: part)
    }

    /// Before the memory is full.
    @Test func whatNobodyMapsIsRetiredWhenLittleIsLeft() throws {
        var options = KernelUnwinder.Options()
        options.tableBudget = 4 << 20
        let unwinder = try KernelUnwinder(options)
        let table = try MadeTable([.init(0x1000, length: 0x100)])
        try unwinder.addTable(table.view)
        let ranges = unwinder.images.placedRanges(of: table.view.key)
        #expect(!unwinder.memory.isNearlyFull)
        _ = try unwinder.memory.allocate(words: Int(CFIC_ELEMENT_WORDS) / 8 * 7)
        #expect(unwinder.memory.isNearlyFull && ranges.count == 1)
        let process: Int32 = 2
        // kthreadd has no mappings, but recording that takes some memory nevertheless.
        let first = try unwinder.addProcess(process).number
        unwinder.removeProcess(process)
        for _ in 0..<2 {
            try unwinder.addProcess(process)
            unwinder.removeProcess(process)
        }
        // Retired mappings are known until samples with them have been read.
        for _ in 0..<2 { _ = unwinder.update([]) }
        #expect(unwinder.images(numbered: first) == nil)
    }

    // MARK: Processes that are gone

    /// The id has been reused, and the BPF programs already know the new process.
    @Test func endOfAProcessWhoseIDIsUsedAgainLeavesTheNewOneListed() throws {
        let unwinder = try KernelUnwinder()
        let program = try sleeper()
        try unwinder.addProcess(program.id)
        _ = unwinder.carryOut(.end(program.id, at: 1, isReused: true))
        #expect(unwinder.isListed(program.id) && unwinder.images(of: program.id) == nil)
        _ = unwinder.carryOut(.end(program.id, at: 2, isReused: false))
        #expect(!unwinder.isListed(program.id))
    }

    /// The BPF programs removed it from their map, because its id was given to the child of an unlisted process.
    @Test func processThatOnlyTheProgramsForgotIsStillTold() throws {
        let unwinder = try KernelUnwinder()
        for kind in [ProcessEvent.Kind.exited, .lost] {
            let program = try sleeper()
            try unwinder.addProcess(program.id)
            var key = program.id
            #expect(bpf_map_delete_elem(try unwinder.object.map("processes"), &key) == 0)
            program.end()
            let changes = unwinder.update([ProcessEvent(process: kind == .lost ? 0 : program.id, kind: kind, time: 5)])
            #expect(
                changes.contains { change in
                    if case .ended = change.kind { change.process == program.id } else { false }
                })
            #expect(unwinder.trackedProcesses.isEmpty)
        }
    }

    @Test func processThatIsGoneWhenItIsReadHasEnded() throws {
        let unwinder = try KernelUnwinder()
        let process: Int32 = 0x7fff_fff0
        try unwinder.expectProcess(process)
        let changes = unwinder.update([ProcessEvent(process: process, kind: .forked(parent: 1), time: 5)])
        guard case .ended? = changes.last?.kind else {
            Issue.record("\(changes)")
            return
        }
        #expect(!unwinder.isListed(process))
        // The id may have been reused by then.
        #expect(unwinder.planMemory.justEnded[process] != nil)
    }

    /// Its mappings may have changed. No callers are better than callers by old mappings.
    @Test func processThatCannotBeReadIsNotUnwoundByWhatItMappedBefore() throws {
        var options = KernelUnwinder.Options()
        options.tableBudget = 4 << 20
        let unwinder = try KernelUnwinder(options)
        let program = try sleeper()
        // No table can be evicted for the mappings.
        for image in try unwinder.addProcess(program.id).images { image.table?.stays = true }
        unwinder.stopTracking(program.id)
        #expect(unwinder.place(of: program.id) != 0)
        while (try? unwinder.memory.allocateRest(minimum: 1)) != nil {}
        let changes = unwinder.update([ProcessEvent(process: program.id, kind: .exec, time: 5)])
        guard case .failed(.overBudget)? = changes.last?.kind else {
            Issue.record("\(changes)")
            return
        }
        #expect(unwinder.place(of: program.id) == 0)
    }

    /// State kept for later updates belongs to the process that had the id.
    @Test func nothingIsLeftOfAProcessThatIsRemoved() throws {
        let unwinder = try KernelUnwinder()
        let program = try sleeper()
        try unwinder.addProcess(program.id)
        unwinder.planMemory = UpdatePlan.Memory(justBegun: [program.id: 3], withoutFirstThread: [program.id])
        unwinder.removeProcess(program.id)
        #expect(unwinder.planMemory == UpdatePlan.Memory())
    }
}
