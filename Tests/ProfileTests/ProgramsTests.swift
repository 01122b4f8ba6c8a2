@testable import KernelUnwinder
@testable import Profile
import Testing

/// The mappings at a sample's addresses at the time when it was taken.
@Suite struct ProgramsTests {
    private func mapped(_ start: UInt64, _ name: String, hasTable: Bool = true) -> KernelUnwinder.Change.Kind {
        .mapped(FakeImages.mapping(start, name, hasTable: hasTable))
    }

    /// The names of a sample's frames, innermost first, and how its walk ended.
    private struct Seen: Equatable {
        var names: [String]
        var end: StackEnd
    }

    private static let whole = StackEnd(code: 1)

    private func see(
        _ programs: inout Programs, _ process: Int32, at time: UInt64, by base: ProcessImages?,
        _ addresses: [UInt64] = [0x5010]
    ) -> Seen {
        var stack = Stacks.Stack(
            program: ProgramID(process: process), command: "thread", kernelFrames: [],
            userFrames: addresses.map { Sample.Frame($0, isExact: true) }, end: Self.whole)
        programs.resolve(&stack, at: time, unwoundBy: base)
        let symbolizer = Symbolizer(programs)
        return Seen(
            names: stack.userFrames.map { symbolizer.name(of: $0, in: stack.program) }, end: stack.end)
    }

    private func seen(_ names: String..., end: StackEnd = whole) -> Seen { Seen(names: names, end: end) }

    /// Process 7 maps /program at 0x1000 and /a at 0x5000, read at 100.
    private func programs() -> (Programs, ProcessImages) {
        var programs = Programs()
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/a")], readAt: 100)
        programs.note(images, of: 7)
        programs.endRound(at: 110)
        return (programs, images)
    }

    // MARK: Libraries in turn

    /// dlclose, then dlopen of another library, which is mapped at the same address.
    @Test func frameIsOfTheFileThatWasMappedThenAndItsCallersAreCutOff() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        let stack: [UInt64] = [0x5010, 0x1010]
        #expect(see(&programs, 7, at: 199, by: images, stack) == seen("[a]", "[program]"))
        #expect(see(&programs, 7, at: 200, by: images, stack) == seen("[b]", end: .mappingChanged))
        #expect(
            see(&programs, 7, at: 300, by: images, [0x1010, 0x5010, 0x1010])
                == seen("[program]", "[b]", end: .mappingChanged))
        // Where nothing changed, nothing is cut off.
        #expect(see(&programs, 7, at: 300, by: images, [0x1010]) == seen("[program]"))
    }

    @Test func changesAreSeenOneByOne() {
        var (programs, images) = programs()
        for (time, name) in [(200, "/b"), (300, "/a"), (400, "/b"), (500, "/a")] as [(UInt64, String)] {
            programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, name), time: time))
        }
        #expect(see(&programs, 7, at: 150, by: images) == seen("[a]"))
        #expect(see(&programs, 7, at: 250, by: images) == seen("[b]", end: .mappingChanged))
        // The same file at the same address again: its rules were right.
        #expect(see(&programs, 7, at: 350, by: images) == seen("[a]"))
        #expect(see(&programs, 7, at: 450, by: images) == seen("[b]", end: .mappingChanged))
        #expect(see(&programs, 7, at: 600, by: images) == seen("[a]"))
    }

    /// Clocks aren't fine enough to distinguish all events.
    @Test func ofChangesAtOneTimeTheLastCounts() {
        var (programs, images) = programs()
        for name in ["/b", "/c", "/d"] {
            programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, name), time: 200))
        }
        #expect(see(&programs, 7, at: 200, by: images) == seen("[d]", end: .mappingChanged))
    }

    /// The reading began after the change, and includes it.
    @Test func changeAtTheTimeOfAReadingIsInIt() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 100))
        #expect(see(&programs, 7, at: 150, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
    }

    @Test func whatWasUnwoundByTheNewReadingIsRight() {
        var (programs, _) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 210)
        programs.note(images, of: 7)
        #expect(see(&programs, 7, at: 220, by: images, [0x5010, 0x1010]) == seen("[b]", "[program]"))
    }

    @Test func otherPlaceOfTheSameFileIsAnotherOne() {
        var (programs, images) = programs()
        var moved = FakeImages.mapping(0x5000, "/a")
        moved.source?.offset = 0x1000
        programs.note(KernelUnwinder.Change(process: 7, kind: .mapped(moved), time: 200))
        #expect(see(&programs, 7, at: 300, by: images) == seen("[a]", end: .mappingChanged))
    }

    /// A mapping may replace only a part of another one.
    @Test func onlyWhatAMappingCoversIsReplaced() {
        var (programs, images) = programs()
        var part = FakeImages.mapping(0x5000, "/b")
        part.end = 0x5800
        programs.note(KernelUnwinder.Change(process: 7, kind: .mapped(part), time: 200))
        #expect(see(&programs, 7, at: 300, by: images, [0x57ff]) == seen("[b]", end: .mappingChanged))
        #expect(see(&programs, 7, at: 300, by: images, [0x5800]) == seen("[a]"))
    }

    /// Without rules, the callers were guessed and are already marked.
    @Test func withoutRulesNothingIsCutOff() {
        var (programs, _) = programs()
        let images = ProcessImages(
            [FakeImages.mapping(0x1000, "/program"), FakeImages.mapping(0x5000, "/a", hasTable: false)], time: 100)
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x9000, "/c"), time: 201))
        #expect(see(&programs, 7, at: 300, by: images, [0x5010, 0x1010]) == seen("[b]", "[program]"))
        #expect(see(&programs, 7, at: 300, by: images, [0x9010]) == seen("[c]"))
    }

    // MARK: Programs

    @Test func newProgramHasItsOwnMappingsBeforeItIsRead() {
        var (programs, _) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x1000, "/next"), time: 201))
        // Whether the reading was made before or after the exec isn't known.
        #expect(see(&programs, 7, at: 150, by: nil, [0x1010, 0x5010]) == seen("[unknown]", "[unknown]"))
        #expect(see(&programs, 7, at: 250, by: nil, [0x1010]) == seen("[next]"))
        // Mapped only by the previous executable.
        #expect(see(&programs, 7, at: 250, by: nil, [0x5010]) == seen("[unknown]"))
        programs.note(FakeImages.files([(0x1000, "/next"), (0x7000, "/vdso")], readAt: 210), of: 7)
        #expect(see(&programs, 7, at: 250, by: nil, [0x7010]) == seen("[vdso]"))
    }

    /// A process's first sample may be taken at its start.
    @Test func readingIsOfTheProgramThatBeganBeforeIt() {
        var (programs, _) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        programs.note(FakeImages.files([(0x5000, "/next")], readAt: 210), of: 7)
        #expect(see(&programs, 7, at: 200, by: nil) == seen("[next]"))
        // After two execs, only the last executable's mappings were read.
        programs.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 300))
        programs.note(FakeImages.files([(0x5000, "/last")], readAt: 310), of: 7)
        #expect(see(&programs, 7, at: 250, by: nil) == seen("[unknown]"))
        #expect(see(&programs, 7, at: 300, by: nil) == seen("[last]"))
    }

    /// The reading may already be of the next executable.
    @Test func readingOfTheNextProgramIsNotTheOneBefore() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        programs.note(FakeImages.files([(0x5000, "/next")], readAt: 210), of: 7)
        #expect(see(&programs, 7, at: 150, by: nil) == seen("[unknown]"))
        #expect(see(&programs, 7, at: 150, by: images) == seen("[a]"))
    }

    /// The same address in an executable at a fixed address.
    @Test func programThatWasUnwoundByTheOneBeforeIsCutOff() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x1000, "/next"), time: 201))
        #expect(see(&programs, 7, at: 250, by: images, [0x1010, 0x5010]) == seen("[next]", end: .mappingChanged))
    }

    // MARK: Children

    @Test func childHasItsParentsMappingsAndWhatTheyWereWhenItWasMade() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        programs.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 300))
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/c"), time: 400))
        // It is unwound with its parent's mappings until its own are read.
        #expect(see(&programs, 8, at: 500, by: images) == seen("[b]", end: .mappingChanged))
        #expect(see(&programs, 7, at: 500, by: images) == seen("[c]", end: .mappingChanged))
        #expect(see(&programs, 8, at: 500, by: nil, [0x1010]) == seen("[program]"))
    }

    /// The events of its start were lost; the sample's number gives the mappings that it was unwound with.
    @Test func childThatNobodySawHasTheNamesThatItWasUnwoundBy() {
        var (programs, images) = programs()
        #expect(see(&programs, 9, at: 500, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
        #expect(see(&programs, 9, at: 500, by: nil) == seen("[unknown]"))
    }

    @Test func idThatIsUsedAgainIsAnotherProcess() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 8, kind: mapped(0x5000, "/old"), time: 150))
        programs.note(KernelUnwinder.Change(process: 8, kind: .ended, time: 160))
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 170))
        programs.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 200))
        #expect(see(&programs, 8, at: 300, by: images) == seen("[b]", end: .mappingChanged))
        // The earlier process with this id is resolved only with the mappings that it was unwound with.
        #expect(see(&programs, 8, at: 190, by: images) == seen("[a]"))
    }

    // MARK: Lost events

    @Test func whatChangedWhileEventsWereLostIsNotKnown() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        let now = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 200)
        programs.note(now, of: 7)
        // The last round ended at 110; everything before it is known.
        #expect(see(&programs, 7, at: 105, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
        let stack: [UInt64] = [0x1010, 0x5010, 0x1010]
        #expect(see(&programs, 7, at: 150, by: images, stack) == seen("[program]", "[unknown]", end: .mappingChanged))
        #expect(see(&programs, 7, at: 250, by: now, stack) == seen("[program]", "[b]", "[program]"))
    }

    @Test func onlyWhatDiffersAfterALossIsNotKnown() {
        var programs = Programs()
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/a"), (0x6000, "/c")], readAt: 100)
        programs.note(images, of: 7)
        programs.endRound(at: 110)
        programs.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        let now = [(0x1000, "/program"), (0x5000, "/b"), (0x6000, "/c"), (0x9000, "/new")] as [(UInt64, String)]
        programs.note(FakeImages.files(now, readAt: 200), of: 7)
        #expect(see(&programs, 7, at: 150, by: images, [0x6000]) == seen("[c]"))
        #expect(see(&programs, 7, at: 150, by: images, [0x5fff]) == seen("[unknown]", end: .mappingChanged))
        // Nothing was mapped there before, but something may have been at that time.
        #expect(see(&programs, 7, at: 150, by: nil, [0x9010]) == seen("[unknown]", end: .mappingChanged))
    }

    @Test func lossIsOfItsRound() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        programs.endRound(at: 160)
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        programs.note(FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 210), of: 7)
        #expect(see(&programs, 7, at: 170, by: images) == seen("[a]"))
        #expect(see(&programs, 7, at: 205, by: images) == seen("[b]", end: .mappingChanged))
    }

    @Test func processThatEndedMapsWhatItMapped() {
        var (programs, _) = programs()
        programs.note(FakeImages.files([], readAt: 200), of: 7)
        #expect(see(&programs, 7, at: 150, by: nil) == seen("[a]"))
    }

    @Test func childOfAProcessThatEndedHasNotEnded() {
        var (programs, _) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: .ended, time: 150))
        programs.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 160))
        for time in [200, 210, 220] as [UInt64] { programs.endRound(at: time) }
        #expect(see(&programs, 8, at: 300, by: nil) == seen("[a]") && programs.count == 1)
    }

    // MARK: Memory

    @Test func eventsAreKeptForTheRoundAfterTheirs() {
        var (programs, images) = programs()
        programs.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        programs.endRound(at: 210)
        #expect(see(&programs, 7, at: 205, by: images) == seen("[b]", end: .mappingChanged))
        programs.endRound(at: 220)
        #expect(see(&programs, 7, at: 205, by: images) == seen("[a]"))
    }

    /// 200 processes per second for hours.
    @Test func processesThatEndedAreForgotten() {
        var (programs, images) = programs()
        for round in 1...1000 as ClosedRange<UInt64> {
            let child = Int32(round) + 100
            let time = round * 1000
            programs.note(KernelUnwinder.Change(process: child, kind: .forked(parent: 7), time: time))
            programs.note(KernelUnwinder.Change(process: child, kind: mapped(0x5000, "/b"), time: time + 1))
            programs.note(KernelUnwinder.Change(process: child, kind: .ended, time: time + 2))
            programs.endRound(at: time + 3)
            // Samples of its last moments may still be unread.
            #expect(see(&programs, child, at: time + 1, by: images) == seen("[b]", end: .mappingChanged))
        }
        #expect(programs.count <= 2)
    }

    /// A file's code is the same code in all processes that map it.
    @Test func stacksOfAllProcessesAreTheSame() {
        var programs = Programs()
        var stacks: Set<[Sample.Frame]> = []
        for process in 1...100 as ClosedRange<Int32> {
            let start = UInt64(process) << 20
            let images = FakeImages.files([(start, "/a"), (start + 0x1000, "/b")], readAt: 0)
            var stack = Stacks.Stack(
                program: ProgramID(process: process), command: "x", kernelFrames: [],
                userFrames: [
                    Sample.Frame(start + 0x1234, isExact: true), Sample.Frame(start + 0x1000, isGuessed: true),
                ], end: Self.whole)
            programs.resolve(&stack, at: 5, unwoundBy: images)
            stacks.insert(stack.userFrames)
            #expect(stack.userFrames[0].isExact && !stack.userFrames[0].isGuessed)
            #expect(!stack.userFrames[1].isExact && stack.userFrames[1].isGuessed)
            let symbolizer = Symbolizer(programs)
            // The second frame returns to the address after the first file's last byte, because its call is the last
            // instruction.
            #expect(stack.userFrames.map { symbolizer.name(of: $0, in: stack.program) } == ["[b]", "[a]"])
        }
        #expect(stacks.count == 1)
    }

    @Test func imagesWithoutATableAreNamedWhenTheyAreSeen() {
        var programs = Programs()
        let images = ProcessImages(
            [FakeImages.mapping(0x1000, "/a", hasTable: false), FakeImages.mapping(0x2000, "/b", hasTable: false)])
        programs.note(images, of: 7)
        #expect(programs.imagesWithoutTable.isEmpty)
        _ = see(&programs, 7, at: 1, by: images, [0x1010])
        #expect(programs.imagesWithoutTable.map(\.name) == ["/a"])
    }
}
