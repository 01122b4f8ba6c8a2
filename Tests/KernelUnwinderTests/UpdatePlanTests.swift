import LinuxProcess
import Testing
@testable import KernelUnwinder

/// The steps that follow from events, decided without a kernel.
@Suite struct UpdatePlanTests {
    /// The processes of a test.
    private struct World: UpdatePlan.Processes {
        var listed: Set<Int32> = []
        var dead: Set<Int32> = []
        var expected: Set<Int32> = []
        var followsChildren = true
        var areEveryone = false

        func isListed(_ process: Int32) -> Bool { listed.contains(process) }
        func isAlive(_ process: Int32) -> Bool { !dead.contains(process) }
        func isExpected(_ process: Int32) -> Bool { expected.contains(process) }
        var all: [Int32] { Array(listed) }
        var sampled: Set<Int32> = []
    }

    private func event(_ process: Int32, _ kind: ProcessEvent.Kind, _ time: UInt64) -> ProcessEvent {
        ProcessEvent(process: process, kind: kind, time: time)
    }

    private let library = ProcessEvent.Kind.mapped(
        ExecutableMapping(
            start: 0x1000, end: 0x2000, offset: 0, device: 1, inode: 2, path: "/lib.so"))

    private func plan(
        _ events: [ProcessEvent], _ world: World, at now: UInt64 = 100, _ memory: inout UpdatePlan.Memory
    ) -> [UpdatePlan.Step] {
        UpdatePlan(events, world, at: now, &memory).steps
    }

    private func plan(_ events: [ProcessEvent], _ world: World) -> [UpdatePlan.Step] {
        var memory = UpdatePlan.Memory()
        return plan(events, world, &memory)
    }

    // MARK: Mappings

    @Test func processIsReadOnceAfterItsLastMapping() {
        let events = [event(7, library, 10), event(8, library, 11), event(7, library, 12), event(8, library, 13)]
        #expect(
            plan(events, World(listed: [7, 8])) == [
                .tell(events[0]), .tell(events[1]), .tell(events[2]), .read(7, at: 12), .tell(events[3]),
                .read(8, at: 13),
            ])
    }

    @Test func processesThatNobodyListedAreLeftAlone() {
        #expect(plan([event(7, library, 1), event(7, .exec, 2), event(7, .exited, 3)], World(listed: [8])) == [])
        #expect(plan([], World(listed: [8])) == [])
    }

    /// All processes are sampled: those that are not listed are told, but only read when a sample needs them.
    @Test func processesThatAreNotListedAreToldIfTheyAreSampled() {
        let events = [
            event(7, library, 1), event(7, .exec, 2), event(8, library, 3), event(9, .forked(parent: 7), 4),
            event(7, .exited, 5),
        ]
        var memory = UpdatePlan.Memory()
        let steps = plan(events, World(listed: [8], areEveryone: true), &memory)
        #expect(
            steps == [
                .tell(events[0]), .tell(events[1]), .tell(events[2]), .read(8, at: 3), .tell(events[3]),
                .tell(events[4]),
            ])
        #expect(memory == UpdatePlan.Memory())
    }

    @Test func newProgramIsNotReadIfEveryoneIsSampled() {
        var memory = UpdatePlan.Memory()
        for begin in [ProcessEvent.Kind.exec, .forked(parent: 9)] {
            let events = [event(7, library, 1), event(7, begin, 2), event(7, library, 3), event(7, .exited, 4)]
            #expect(
                plan(events, World(listed: [7], areEveryone: true), &memory) == [
                    .tell(events[0]), .tell(events[1]), .supersede(7), .tell(events[2]), .tell(events[3]),
                ])
        }
        #expect(memory == UpdatePlan.Memory())
    }

    // MARK: New programs

    @Test func newProgramIsReadAndCheckedAgainForAWhile() {
        var memory = UpdatePlan.Memory()
        var world = World(listed: [7])
        let events = [event(7, .exec, 10), event(7, library, 11)]
        #expect(plan(events, world, &memory) == [.tell(events[0]), .tell(events[1]), .read(7, at: 11)])
        // The exec tracepoint ran after the mappings were published, and cleared the entry.
        world.expected = [7]
        #expect(plan([], world, &memory) == [.read(7, at: 0)])
        // The number of updates doesn't matter.
        world.expected = []
        for _ in 0..<100 { #expect(plan([], world, &memory) == []) }
        world.expected = [7]
        #expect(plan([], world, at: 99 + UpdatePlan.retention, &memory) == [.read(7, at: 0)])
        // The time is over, but nobody has checked since then.
        #expect(plan([], world, at: 200 + UpdatePlan.retention, &memory) == [.read(7, at: 0)])
        #expect(plan([], world, at: 201 + UpdatePlan.retention, &memory) == [] && memory == UpdatePlan.Memory())
    }

    @Test func childIsReadAfterItsFork() {
        let events = [event(8, .forked(parent: 7), 10)]
        #expect(plan(events, World(listed: [7, 8])) == [.tell(events[0]), .read(8, at: 10)])
    }

    // MARK: Ends

    @Test func processThatEndedIsNotReadBefore() {
        let events = [event(7, library, 10), event(7, .exited, 20)]
        #expect(
            plan(events, World(listed: [7], dead: [7])) == [
                .tell(events[0]), .end(7, at: 20, isReused: false),
            ])
    }

    @Test func processEndsWithItsLastThreadNotWithItsFirst() {
        var memory = UpdatePlan.Memory()
        var world = World(listed: [7])
        #expect(plan([event(7, .threadExited, 5), event(7, .exited, 10)], world, &memory) == [])
        #expect(memory.withoutFirstThread == [7])
        #expect(plan([event(7, .threadExited, 20)], world, &memory) == [])
        world.dead = [7]
        #expect(plan([event(7, .threadExited, 30)], world, &memory) == [.end(7, at: 30, isReused: false)])
        #expect(memory.withoutFirstThread.isEmpty && memory.justBegun.isEmpty)
    }

    /// The ends of all threads in one update are one end of the process.
    @Test func allThreadsThatEndAtOnceEndAProcessOnce() {
        let events = [event(7, .exited, 10), event(7, .threadExited, 11), event(7, .threadExited, 12)]
        #expect(plan(events, World(listed: [7], dead: [7])) == [.end(7, at: 10, isReused: false)])
    }

    /// A thread that calls exec gets the first thread's id.
    @Test func programThatAnotherThreadRunsHasAFirstThread() {
        var memory = UpdatePlan.Memory()
        _ = plan([event(7, .exited, 10), event(7, .exec, 11)], World(listed: [7]), &memory)
        #expect(memory.withoutFirstThread.isEmpty && memory.justBegun == [7: 100 + UpdatePlan.retention])
    }

    @Test func threadOfAProcessWithItsFirstOneIsNotAskedFor() {
        // Otherwise a process that makes threads all the time would be checked all the time.
        #expect(plan([event(7, .threadExited, 5)], World(listed: [7], dead: [7])) == [])
    }

    @Test func idThatIsUsedAgainIsAnotherProcess() {
        let events = [
            event(7, library, 5), event(7, .exited, 10), event(7, .forked(parent: 1), 20), event(7, library, 30),
        ]
        #expect(
            plan(events, World(listed: [1, 7])) == [
                .tell(events[0]), .end(7, at: 10, isReused: true), .tell(events[2]), .tell(events[3]), .read(7, at: 30),
            ])
    }

    /// Whether the thread was the process's last is unknown. The fork with the same id shows that the process ended.
    @Test func threadThatEndedBeforeAnIDIsUsedAgainIsNoEnd() {
        var memory = UpdatePlan.Memory(withoutFirstThread: [7])
        let events = [event(7, .threadExited, 10), event(7, .forked(parent: 1), 20)]
        #expect(plan(events, World(listed: [1, 7]), &memory) == [.tell(events[1]), .read(7, at: 20)])
    }

    @Test func nothingIsLeftOfAProcessThatEnded() {
        var memory = UpdatePlan.Memory(justBegun: [7: 5], withoutFirstThread: [7])
        _ = plan([event(7, .exited, 10)], World(listed: [7], dead: [7]), &memory)
        #expect(memory.justBegun.isEmpty && memory.withoutFirstThread.isEmpty)
    }

    /// Records of several CPUs may have the same time.
    @Test func processThatEndedIsNotReadAfterwards() {
        let events = [event(7, .exited, 10), event(7, library, 10)]
        #expect(plan(events, World(listed: [7], dead: [7])) == [.end(7, at: 10, isReused: false), .tell(events[1])])
    }

    /// A new process already had the id when the end of the old one was carried out, before the fork event was read. It
    /// was removed in the old one's place, and is put back.
    @Test func processThatWasTakenOutForAnotherIsPutBack() {
        let old = [event(7, library, 10), event(7, .threadExited, 15)]
        let events = [event(7, .forked(parent: 1), 20), event(7, library, 30)]
        let putBack = [UpdatePlan.Step.tell(events[0]), .tell(events[1]), .read(7, at: 30)]
        for (parentEnds, isParentListed) in [(false, true), (true, false)] {
            var memory = UpdatePlan.Memory()
            var ends = [event(7, .exited, 10)]
            if parentEnds { ends.append(event(1, .exited, 11)) }
            _ = plan(ends, World(listed: [1, 7], dead: [1, 7]), &memory)
            #expect(plan(old + events, World(listed: isParentListed ? [1] : []), &memory) == putBack)
            // This is done only once.
            #expect(memory.justEnded[7] == nil)
        }
    }

    /// On a busy machine, ids come back within seconds: that of a listed process may soon be the id of another program,
    /// whose children are nobody's concern, even if they get such ids, too.
    @Test func childOfAnUnlistedProcessWithAnIDThatEndedIsLeftAlone() {
        var memory = UpdatePlan.Memory()
        let ends = [event(7, .exited, 10), event(8, .exited, 10)]
        _ = plan(ends, World(listed: [7, 8], dead: [7, 8]), &memory)
        let events = [event(7, .forked(parent: 1), 20), event(8, .forked(parent: 7), 21), event(8, library, 22)]
        #expect(plan(events, World(), &memory) == [])
        #expect(memory.justEnded.isEmpty)
        // One event after the other, too.
        _ = plan(ends, World(listed: [7, 8], dead: [7, 8]), &memory)
        for event in events { #expect(plan([event], World(), &memory) == []) }
    }

    @Test func processOfAnIdThatEndedIsLeftAloneUnlessItWasListed() {
        let events = [event(7, .forked(parent: 1), 20), event(7, library, 30)]
        func steps(after time: UInt64, _ world: World) -> [UpdatePlan.Step] {
            var memory = UpdatePlan.Memory()
            _ = plan([event(7, .exited, 10)], World(listed: [7], dead: [7]), &memory)
            for _ in 0..<100 { _ = plan([], world, &memory) }
            _ = plan([], world, at: 100 + time, &memory)
            return plan(events, world, at: 100 + time, &memory)
        }
        // Not if its parent isn't listed, children aren't followed, or the end was long ago.
        #expect(steps(after: 0, World()) == [])
        #expect(steps(after: 0, World(listed: [1], followsChildren: false)) == [])
        #expect(steps(after: UpdatePlan.retention, World(listed: [1])) == [])
        #expect(steps(after: UpdatePlan.retention - 1, World(listed: [1])).last == .read(7, at: 30))
        // Not if the id never belonged to another process.
        #expect(plan(events, World(listed: [1])) == [])
    }

    /// The child of a process that is put back in the same update is put back, too.
    @Test func childOfAProcessThatIsPutBackIsPutBack() {
        var memory = UpdatePlan.Memory()
        _ = plan([event(7, .exited, 10), event(8, .exited, 11)], World(listed: [7, 8], dead: [7, 8]), &memory)
        let events = [event(7, .forked(parent: 1), 20), event(8, .forked(parent: 7), 21)]
        #expect(
            plan(events, World(listed: [1]), &memory) == [
                .tell(events[0]), .read(7, at: 20), .tell(events[1]), .read(8, at: 21),
            ])
    }

    /// Also if the process ended as well.
    @Test func processesThatWereTakenOutAreToldOneByOne() {
        var memory = UpdatePlan.Memory()
        _ = plan([event(7, .exited, 10)], World(listed: [1, 7], dead: [7]), &memory)
        let events = [
            event(7, .forked(parent: 1), 20), event(7, .exited, 25), event(7, .forked(parent: 1), 30),
        ]
        #expect(
            plan(events, World(listed: [1]), &memory) == [
                .tell(events[0]), .end(7, at: 25, isReused: true), .tell(events[2]), .read(7, at: 30),
            ])
    }

    /// Not if it was added again meanwhile.
    @Test func nothingIsLeftOutOfAProcessThatIsListed() {
        var memory = UpdatePlan.Memory()
        _ = plan([event(7, .exited, 10)], World(listed: [1, 7], dead: [7]), &memory)
        let events = [event(7, .exited, 15), event(7, .forked(parent: 1), 20)]
        #expect(
            plan(events, World(listed: [1, 7]), &memory) == [
                .end(7, at: 15, isReused: true), .tell(events[1]), .read(7, at: 20),
            ])
    }

    @Test func newProcessHasItsFirstThread() {
        var memory = UpdatePlan.Memory()
        // The id is another's already, which seems to be the same process without its first thread.
        _ = plan([event(7, .exited, 10)], World(listed: [7]), &memory)
        #expect(memory.withoutFirstThread == [7])
        _ = plan([event(7, .forked(parent: 1), 20)], World(listed: [1, 7]), &memory)
        #expect(memory.withoutFirstThread.isEmpty)
    }

    /// An end cancels the planned reading of its own process only.
    @Test func processesThatEndAreNotReadAndTheOthersAre() {
        let events =
            (1...Int32(300)).map { event($0, library, 1) }
            + stride(from: Int32(1), through: 300, by: 3).map { event($0, .exited, 2) }
        let dead = Set(stride(from: Int32(1), through: 300, by: 3))
        let steps = plan(events, World(listed: Set(1...300), dead: dead))
        let read = steps.compactMap { if case .read(let process, _) = $0 { process } else { nil } }
        #expect(read == (1...300).filter { !dead.contains($0) })
        #expect(steps.count == 300 + read.count + dead.count)
    }

    // MARK: Lost events

    @Test func processThatEndedBeforeALossEndsOnce() {
        let events = [event(9, .exited, 5), event(0, .lost, 6)]
        #expect(
            plan(events, World(listed: [7, 9], dead: [9])) == [
                .end(9, at: 5, isReused: false), .tell(events[1]), .read(7, at: 6),
            ])
    }

    /// Reading thousands of processes would take so long that more events are lost.
    @Test func lostEventsHaveAllForgottenWhoWereNotSampled() {
        let events = [event(7, library, 4), event(8, library, 4), event(0, .lost, 5), event(7, library, 10)]
        var world = World(listed: [6, 7, 8, 9], dead: [9], areEveryone: true)
        world.sampled = [7, 9, 10]
        #expect(
            plan(events, world) == [
                .tell(events[0]), .tell(events[1]), .forget(except: [7, 9], at: 5), .tell(events[3]),
                .read(7, at: 10), .end(9, at: 10, isReused: false),
            ])
    }

    @Test func lostEventsHaveAllProcessesReadOrEnded() {
        let events = [event(0, .lost, 5), event(7, library, 10)]
        #expect(
            plan(events, World(listed: [7, 8, 9], dead: [9])) == [
                .tell(events[0]), .tell(events[1]), .read(7, at: 10), .read(8, at: 10),
                .end(9, at: 10, isReused: false),
            ])
    }

    // MARK: Reading

    private func map(_ inode: UInt64) throws -> MemoryMap {
        let text = "1000-2000 r-xp 00000000 08:01 \(inode) /program\n"
        return Array(text.utf8).withUnsafeBytes { MemoryMap(of: 7, text: $0, time: 0) }
    }

    /// A process that calls exec while it is added must not be unwound with its old mappings.
    @Test func processThatChangesWhileItIsAddedIsAddedAgain() throws {
        var maps = [try map(1), try map(2), try map(2)]
        var added: [UInt64] = []
        let found = try KernelUnwinder.readUntilUnchanged { () throws(KernelError) in
            maps.removeFirst()
        } add: { map throws(KernelError) -> UInt64 in
            added.append(map.mappings[0].inode)
            return map.mappings[0].inode
        }
        #expect(found == 2 && added == [1, 2] && maps.isEmpty)
    }

    /// A process that never stops changing is left to events.
    @Test func processThatKeepsChangingIsNotReadForEver() throws {
        var inode: UInt64 = 0
        var added = 0
        _ = try KernelUnwinder.readUntilUnchanged { () throws(KernelError) in
            inode += 1
            let text = "1000-2000 r-xp 00000000 08:01 \(inode) /program\n"
            return Array(text.utf8).withUnsafeBytes { MemoryMap(of: 7, text: $0, time: 0) }
        } add: { (_: MemoryMap) throws(KernelError) in
            added += 1
        }
        #expect(added == 4)
    }
}
