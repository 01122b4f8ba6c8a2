@testable import KernelUnwinder
@testable import Profile
import TestFixtures
import Testing

/// The mappings at a sample's addresses at the time when it was taken.
@Suite struct ProcessHistoriesTests {
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
        _ processes: inout ProcessHistories, _ process: Int32, at time: UInt64, by base: ProcessImages?,
        _ addresses: [UInt64] = [0x5010]
    ) -> Seen {
        var stack = Stacks.Stack(
            space: AddressSpace(process: process), command: "thread", kernelFrames: [],
            userFrames: addresses.map { Sample.Frame($0, isExact: true) }, end: Self.whole)
        processes.resolve(&stack, at: time, unwoundBy: base)
        let symbolizer = Symbolizer(processes)
        return Seen(
            names: stack.userFrames.map { symbolizer.name(of: $0, in: stack.space) }, end: stack.end)
    }

    private func seen(_ names: String..., end: StackEnd = whole) -> Seen { Seen(names: names, end: end) }

    /// Process 7 maps /program at 0x1000 and /a at 0x5000, read at 100.
    private func made() -> (ProcessHistories, ProcessImages) {
        var processes = ProcessHistories()
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/a")], readAt: 100)
        processes.note(images, of: 7)
        processes.endRound(at: 110)
        return (processes, images)
    }

    // MARK: Libraries in turn

    /// dlclose, then dlopen of another library, which is mapped at the same address.
    @Test func frameIsOfTheFileThatWasMappedThenAndItsCallersAreCutOff() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        let stack: [UInt64] = [0x5010, 0x1010]
        #expect(see(&processes, 7, at: 199, by: images, stack) == seen("[a]", "[program]"))
        #expect(see(&processes, 7, at: 200, by: images, stack) == seen("[b]", end: .mappingChanged))
        #expect(
            see(&processes, 7, at: 300, by: images, [0x1010, 0x5010, 0x1010])
                == seen("[program]", "[b]", end: .mappingChanged))
        // Where nothing changed, nothing is cut off.
        #expect(see(&processes, 7, at: 300, by: images, [0x1010]) == seen("[program]"))
    }

    @Test func changesAreSeenOneByOne() {
        var (processes, images) = made()
        for (time, name) in [(200, "/b"), (300, "/a"), (400, "/b"), (500, "/a")] as [(UInt64, String)] {
            processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, name), time: time))
        }
        #expect(see(&processes, 7, at: 150, by: images) == seen("[a]"))
        #expect(see(&processes, 7, at: 250, by: images) == seen("[b]", end: .mappingChanged))
        // The same file at the same address again: its rules were right.
        #expect(see(&processes, 7, at: 350, by: images) == seen("[a]"))
        #expect(see(&processes, 7, at: 450, by: images) == seen("[b]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 600, by: images) == seen("[a]"))
    }

    /// Clocks aren't fine enough to distinguish all events.
    @Test func ofChangesAtOneTimeTheLastCounts() {
        var (processes, images) = made()
        for name in ["/b", "/c", "/d"] {
            processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, name), time: 200))
        }
        #expect(see(&processes, 7, at: 200, by: images) == seen("[d]", end: .mappingChanged))
    }

    /// The reading began after the change, and includes it.
    @Test func changeAtTheTimeOfAReadingIsInIt() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 100))
        #expect(see(&processes, 7, at: 150, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
    }

    @Test func whatWasUnwoundByTheNewReadingIsRight() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 210)
        processes.note(images, of: 7)
        #expect(see(&processes, 7, at: 220, by: images, [0x5010, 0x1010]) == seen("[b]", "[program]"))
    }

    @Test func otherPlaceOfTheSameFileIsAnotherOne() {
        var (processes, images) = made()
        var moved = FakeImages.mapping(0x5000, "/a")
        moved.source?.offset = 0x1000
        processes.note(KernelUnwinder.Change(process: 7, kind: .mapped(moved), time: 200))
        #expect(see(&processes, 7, at: 300, by: images) == seen("[a]", end: .mappingChanged))
    }

    /// A mapping may replace only a part of another one.
    @Test func onlyWhatAMappingCoversIsReplaced() {
        var (processes, images) = made()
        var part = FakeImages.mapping(0x5000, "/b")
        part.end = 0x5800
        processes.note(KernelUnwinder.Change(process: 7, kind: .mapped(part), time: 200))
        #expect(see(&processes, 7, at: 300, by: images, [0x57ff]) == seen("[b]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 300, by: images, [0x5800]) == seen("[a]"))
    }

    // Neighbouring frames in one mapping are looked up together.

    @Test func neighbouringFramesAreOfWhatWasMappedThen() {
        var (processes, images) = made()
        var part = FakeImages.mapping(0x5000, "/b")
        part.end = 0x5800
        processes.note(KernelUnwinder.Change(process: 7, kind: .mapped(part), time: 200))
        let stack: [UInt64] = [0x5900, 0x5010, 0x5020]
        #expect(see(&processes, 7, at: 300, by: images, stack) == seen("[a]", "[b]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 150, by: images, stack) == seen("[a]", "[a]", "[a]"))
    }

    @Test func neighbouringFramesAreOfTheirOwnMappings() {
        var processes = ProcessHistories()
        let images = FakeImages.files([(0x5000, "/a"), (0x6000, "/c")], readAt: 100)
        let stack: [UInt64] = [0x5ffe, 0x5fff, 0x6000, 0x6001, 0x5000]
        #expect(see(&processes, 7, at: 200, by: images, stack) == seen("[a]", "[a]", "[c]", "[c]", "[a]"))
    }

    /// Its addresses all stand for one.
    @Test func neighbouringFramesWithoutAFileAreTheSame() {
        var processes = ProcessHistories()
        let code = ProcessImages.Mapping(start: 0x1000, end: 0x9000, bias: 0, image: nil, name: "[code]")
        let images = ProcessImages([code, FakeImages.mapping(0xa000, "/a")], time: 100)
        let stack: [UInt64] = [0xa010, 0x1010, 0x1020, 0x8fff]
        #expect(see(&processes, 7, at: 200, by: images, stack) == seen("[a]", "[code]", "[code]", "[code]"))
    }

    @Test func neighbouringFramesForWhichThereIsNoRoomAreUnknown() {
        var processes = ProcessHistories()
        var large = FakeImages.mapping(0x10_0000, "/large")
        large.end = 1 << 60
        let images = ProcessImages([FakeImages.mapping(0x5000, "/a"), large], time: 100)
        // The distance of the last two is that of the first one from where nothing is.
        let stack: [UInt64] = [0x5010, 0x10_0010, 0x10_0010 + 0x100f]
        #expect(see(&processes, 7, at: 200, by: images, stack) == seen("[a]", "[unknown]", "[unknown]"))
    }

    /// Without rules, the callers were guessed and are already marked.
    @Test func withoutRulesNothingIsCutOff() {
        var (processes, _) = made()
        let images = ProcessImages(
            [FakeImages.mapping(0x1000, "/program"), FakeImages.mapping(0x5000, "/a", hasTable: false)], time: 100)
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x9000, "/c"), time: 201))
        #expect(see(&processes, 7, at: 300, by: images, [0x5010, 0x1010]) == seen("[b]", "[program]"))
        #expect(see(&processes, 7, at: 300, by: images, [0x9010]) == seen("[c]"))
    }

    // MARK: ProcessHistories

    @Test func newProgramHasItsOwnMappingsBeforeItIsRead() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x1000, "/next"), time: 201))
        // Whether the reading was made before or after the exec isn't known.
        #expect(see(&processes, 7, at: 150, by: nil, [0x1010, 0x5010]) == seen("[unknown]", "[unknown]"))
        #expect(see(&processes, 7, at: 250, by: nil, [0x1010]) == seen("[next]"))
        // Mapped only by the previous executable.
        #expect(see(&processes, 7, at: 250, by: nil, [0x5010]) == seen("[unknown]"))
        processes.note(FakeImages.files([(0x1000, "/next"), (0x7000, "/vdso")], readAt: 210), of: 7)
        #expect(see(&processes, 7, at: 250, by: nil, [0x7010]) == seen("[vdso]"))
    }

    /// A process's first sample may be taken at its start.
    @Test func readingIsOfTheProgramThatBeganBeforeIt() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        processes.note(FakeImages.files([(0x5000, "/next")], readAt: 210), of: 7)
        #expect(see(&processes, 7, at: 200, by: nil) == seen("[next]"))
        // After two execs, only the last executable's mappings were read.
        processes.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 300))
        processes.note(FakeImages.files([(0x5000, "/last")], readAt: 310), of: 7)
        #expect(see(&processes, 7, at: 250, by: nil) == seen("[unknown]"))
        #expect(see(&processes, 7, at: 300, by: nil) == seen("[last]"))
    }

    /// The reading may already be of the next executable.
    @Test func readingOfTheNextProgramIsNotTheOneBefore() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        processes.note(FakeImages.files([(0x5000, "/next")], readAt: 210), of: 7)
        #expect(see(&processes, 7, at: 150, by: nil) == seen("[unknown]"))
        #expect(see(&processes, 7, at: 150, by: images) == seen("[a]"))
    }

    /// The same address in an executable at a fixed address.
    @Test func programThatWasUnwoundByTheOneBeforeIsCutOff() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: .exec, time: 200))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x1000, "/next"), time: 201))
        #expect(see(&processes, 7, at: 250, by: images, [0x1010, 0x5010]) == seen("[next]", end: .mappingChanged))
    }

    /// All mappings at a time are those that each address has then, whatever happened in whatever order.
    @Test func mappingsAtATimeAreThoseOfTheirAddresses() {
        var random = SeededGenerator(seed: 7)
        var found = 0
        for _ in 0..<300 {
            var history = ProcessHistory()
            var bases: [ProcessImages?] = [nil]
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let time = UInt64.random(in: 100...140, using: &random)
                let start = UInt64.random(in: 1...4, using: &random) << 12
                switch Int.random(in: 0...4, using: &random) {
                case 0: history.note(.exec, at: time, round: 0)
                case 1:
                    let images = FakeImages.files([(0x1000, "/x\(time)"), (0x3000, "/y\(time)")], readAt: time)
                    history.note(images)
                    bases.append(images)
                default: history.note(.mapped(FakeImages.mapping(start, "/m\(time)")), at: time, round: 0)
                }
            }
            for base in bases {
                for time in stride(from: UInt64(95), through: 145, by: 5) {
                    let images = history.images(at: time, base: base)
                    for address in stride(from: UInt64(0x800), through: 0x5800, by: 0x800) {
                        var expected: String?
                        if case .mapping(let mapping, _) = history.mapping(at: address, time: time, base: base) {
                            expected = mapping.name
                        }
                        found += expected == nil ? 0 : 1
                        #expect(images.mapping(at: address)?.name == expected)
                    }
                }
            }
        }
        #expect(found > 10_000)
    }

    // MARK: Children

    @Test func childHasItsParentsMappingsAndWhatTheyWereWhenItWasMade() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        processes.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 300))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/c"), time: 400))
        // It is unwound with its parent's mappings until its own are read.
        #expect(see(&processes, 8, at: 500, by: images) == seen("[b]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 500, by: images) == seen("[c]", end: .mappingChanged))
        #expect(see(&processes, 8, at: 500, by: nil, [0x1010]) == seen("[program]"))
    }

    /// The events of its start were lost; the sample's number gives the mappings that it was unwound with.
    @Test func childThatNobodySawHasTheNamesThatItWasUnwoundBy() {
        var (processes, images) = made()
        #expect(see(&processes, 9, at: 500, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
        #expect(see(&processes, 9, at: 500, by: nil) == seen("[unknown]"))
    }

    @Test func idThatIsUsedAgainIsAnotherProcess() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 8, kind: mapped(0x5000, "/old"), time: 150))
        processes.note(KernelUnwinder.Change(process: 8, kind: .ended, time: 160))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 170))
        processes.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 200))
        #expect(see(&processes, 8, at: 300, by: images) == seen("[b]", end: .mappingChanged))
        // The earlier process with this id is resolved only with the mappings that it was unwound with.
        #expect(see(&processes, 8, at: 190, by: images) == seen("[a]"))
    }

    // MARK: Lost events

    @Test func whatChangedWhileEventsWereLostIsNotKnown() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        let now = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 200)
        processes.note(now, of: 7)
        // The last round ended at 110; everything before it is known.
        #expect(see(&processes, 7, at: 105, by: images, [0x5010, 0x1010]) == seen("[a]", "[program]"))
        let stack: [UInt64] = [0x1010, 0x5010, 0x1010]
        #expect(see(&processes, 7, at: 150, by: images, stack) == seen("[program]", "[unknown]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 250, by: now, stack) == seen("[program]", "[b]", "[program]"))
    }

    /// It may have executed another program, or have ended.
    @Test func childWhoseEventsMayBeLostHasNotItsParentsMappings() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 150))
        processes.note(KernelUnwinder.Change(process: 9, kind: .forked(parent: 3), time: 150))
        #expect(see(&processes, 8, at: 160, by: nil) == seen("[a]"))
        processes.endRound(at: 170)
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 200))
        #expect(see(&processes, 8, at: 210, by: nil) == seen("[unknown]"))
        // Nothing tells whether they have ended.
        #expect(processes.count == 1)
    }

    @Test func onlyWhatDiffersAfterALossIsNotKnown() {
        var processes = ProcessHistories()
        let images = FakeImages.files([(0x1000, "/program"), (0x5000, "/a"), (0x6000, "/c")], readAt: 100)
        processes.note(images, of: 7)
        processes.endRound(at: 110)
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        let now = [(0x1000, "/program"), (0x5000, "/b"), (0x6000, "/c"), (0x9000, "/new")] as [(UInt64, String)]
        processes.note(FakeImages.files(now, readAt: 200), of: 7)
        #expect(see(&processes, 7, at: 150, by: images, [0x6000]) == seen("[c]"))
        #expect(see(&processes, 7, at: 150, by: images, [0x5fff]) == seen("[unknown]", end: .mappingChanged))
        // Nothing was mapped there before, but something may have been at that time.
        #expect(see(&processes, 7, at: 150, by: nil, [0x9010]) == seen("[unknown]", end: .mappingChanged))
    }

    @Test func lossIsOfItsRound() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 150))
        processes.endRound(at: 160)
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        processes.note(FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 210), of: 7)
        #expect(see(&processes, 7, at: 170, by: images) == seen("[a]"))
        #expect(see(&processes, 7, at: 205, by: images) == seen("[b]", end: .mappingChanged))
    }

    /// The BPF programs had old mappings until they were forgotten.
    @Test func nothingIsKnownOfProcessesThatAreForgotten() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 0, kind: .forgotten(except: []), time: 150))
        #expect(processes.count == 0 && !processes.isSettled(7))
        // The last round ended at 110; everything before it is known.
        #expect(see(&processes, 7, at: 105, by: images) == seen("[a]"))
        #expect(see(&processes, 7, at: 120, by: images) == seen("[unknown]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 120, by: nil) == seen("[unknown]", end: .mappingChanged))
        // Samples of the next round may have been taken in this one.
        processes.endRound(at: 160)
        #expect(!processes.isSettled(7))
        #expect(see(&processes, 7, at: 155, by: images) == seen("[unknown]", end: .mappingChanged))
        processes.endRound(at: 170)
        #expect(processes.isSettled(7))
        #expect(see(&processes, 7, at: 165, by: images) == seen("[a]"))
    }

    /// Those that were sampled are read again at once.
    @Test func othersThanTheForgottenAreKnownAsAfterAnyLoss() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 0, kind: .forgotten(except: [7]), time: 150))
        let now = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 200)
        processes.note(now, of: 7)
        let stack: [UInt64] = [0x1010, 0x5010, 0x1010]
        #expect(see(&processes, 7, at: 150, by: images, stack) == seen("[program]", "[unknown]", end: .mappingChanged))
        #expect(see(&processes, 7, at: 250, by: now, stack) == seen("[program]", "[b]", "[program]"))
    }

    @Test func processThatIsReadAgainIsKnown() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 0, kind: .forgotten(except: []), time: 150))
        processes.endRound(at: 160)
        let now = FakeImages.files([(0x1000, "/program"), (0x5000, "/b")], readAt: 165)
        processes.note(now, of: 7)
        #expect(see(&processes, 7, at: 168, by: now) == seen("[b]"))
    }

    @Test func processThatEndedMapsWhatItMapped() {
        var (processes, _) = made()
        processes.note(FakeImages.files([], readAt: 200), of: 7)
        #expect(see(&processes, 7, at: 150, by: nil) == seen("[a]"))
    }

    @Test func childOfAProcessThatEndedHasNotEnded() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: .ended, time: 150))
        processes.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 160))
        for time in [200, 210, 220] as [UInt64] { processes.endRound(at: time) }
        #expect(see(&processes, 8, at: 300, by: nil) == seen("[a]") && processes.count == 1)
    }

    // MARK: Processes that nobody read

    /// Process 9 begins to run a program at 200, which maps two files, and is never read.
    private func unread(_ processes: inout ProcessHistories) {
        processes.note(KernelUnwinder.Change(process: 9, kind: .exec, time: 200))
        processes.note(KernelUnwinder.Change(process: 9, kind: mapped(0x1000, "/next"), time: 201))
        processes.note(KernelUnwinder.Change(process: 9, kind: mapped(0x5000, "/b"), time: 202))
    }

    @Test func programThatIsNeverReadIsKnownByItsEvents() {
        var (processes, _) = made()
        unread(&processes)
        for round in 0..<5 {
            #expect(see(&processes, 9, at: 300, by: nil, [0x5010, 0x1010]) == seen("[b]", "[next]"))
            #expect(see(&processes, 9, at: 300, by: nil, [0x9010]) == seen("[unknown]"))
            processes.endRound(at: 300 + UInt64(round))
        }
        // Another mapping in the middle of one.
        var part = FakeImages.mapping(0x5000, "/c")
        (part.start, part.end) = (0x5400, 0x5800)
        processes.note(KernelUnwinder.Change(process: 9, kind: .mapped(part), time: 400))
        for round in 0..<5 {
            #expect(see(&processes, 9, at: 500, by: nil, [0x53ff, 0x5400]) == seen("[b]", "[c]"))
            #expect(see(&processes, 9, at: 500, by: nil, [0x57ff, 0x5800]) == seen("[c]", "[b]"))
            processes.endRound(at: 500 + UInt64(round))
        }
    }

    /// Only an exec or a reading tells all of a process's mappings.
    @Test func processThatBeganEarlierIsNotKnownByItsEvents() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 9, kind: mapped(0x5000, "/b"), time: 200))
        #expect(see(&processes, 9, at: 300, by: nil, [0x1010]) == seen("[unknown]"))
        for time in [310, 320] as [UInt64] { processes.endRound(at: time) }
        #expect(see(&processes, 9, at: 330, by: nil, [0x1010]) == seen("[unknown]"))
    }

    @Test func childOfAProcessThatNobodyReadMapsTheSame() {
        var (processes, _) = made()
        unread(&processes)
        processes.note(KernelUnwinder.Change(process: 10, kind: .forked(parent: 9), time: 300))
        processes.note(KernelUnwinder.Change(process: 9, kind: .ended, time: 310))
        for time in [320, 330, 340] as [UInt64] { processes.endRound(at: time) }
        #expect(see(&processes, 10, at: 350, by: nil, [0x5010, 0x1010]) == seen("[b]", "[next]"))
        #expect(see(&processes, 9, at: 350, by: nil) == seen("[unknown]"))
    }

    @Test func afterLostEventsAProcessIsNotKnownByThem() {
        var (processes, _) = made()
        unread(&processes)
        for time in [310, 320] as [UInt64] { processes.endRound(at: time) }
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 330))
        #expect(see(&processes, 9, at: 340, by: nil) == seen("[unknown]"))
        // Process 7 was read.
        #expect(see(&processes, 7, at: 340, by: nil) == seen("[a]"))
    }

    /// Files are opened when a sample needs them, and once for each process and mapping.
    @Test func filesOfProcessesThatNobodyReadAreOpenedOnce() {
        var opened: [String] = []
        var processes = ProcessHistories { mapping, process in
            opened.append("\(process) \(mapping.name)")
            return FakeImages.mapping(mapping.start, mapping.name)
        }
        func unopened(_ start: UInt64, _ name: String) -> KernelUnwinder.Change.Kind {
            .mapped(ProcessImages.Mapping(unopened: FakeImages.mapping(start, name).source!))
        }
        processes.note(KernelUnwinder.Change(process: 9, kind: .exec, time: 200))
        processes.note(KernelUnwinder.Change(process: 9, kind: unopened(0x1000, "/next"), time: 201))
        processes.note(KernelUnwinder.Change(process: 9, kind: unopened(0x5000, "/b"), time: 202))
        #expect(see(&processes, 9, at: 300, by: nil) == seen("[b]"))
        #expect(see(&processes, 9, at: 300, by: nil) == seen("[b]") && opened == ["9 /b"])
        for time in [310, 320] as [UInt64] { processes.endRound(at: time) }
        for _ in 0..<3 {
            #expect(see(&processes, 9, at: 330, by: nil, [0x5010, 0x1010]) == seen("[b]", "[next]"))
            #expect(opened == ["9 /b", "9 /next"])
            processes.endRound(at: 330)
        }
    }

    /// The kernel doesn't report what is unmapped, so this might grow for ever.
    @Test func processThatMapsWithoutEndIsNotKnownByItsEvents() {
        var (processes, _) = made()
        unread(&processes)
        for index in 0..<4200 as Range<UInt64> {
            processes.note(
                KernelUnwinder.Change(process: 9, kind: mapped(0x10_0000 + index << 13, "/c"), time: 300 + index))
        }
        for time in [9000, 9001] as [UInt64] { processes.endRound(at: time) }
        #expect(see(&processes, 9, at: 9002, by: nil) == seen("[unknown]"))
    }

    // MARK: Memory

    @Test func eventsAreKeptForTheRoundAfterTheirs() {
        var (processes, images) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        processes.endRound(at: 210)
        #expect(see(&processes, 7, at: 205, by: images) == seen("[b]", end: .mappingChanged))
        processes.endRound(at: 220)
        #expect(see(&processes, 7, at: 205, by: images) == seen("[a]"))
    }

    @Test func eventsBeforeTheLastReadingAreNotAddedToIt() {
        var (processes, _) = made()
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x7000, "/d"), time: 220))
        processes.note(FakeImages.files([(0x1000, "/program"), (0x5000, "/c")], readAt: 210), of: 7)
        for time in [230, 240] as [UInt64] { processes.endRound(at: time) }
        let stack: [UInt64] = [0x5010, 0x7010, 0x1010]
        #expect(see(&processes, 7, at: 300, by: nil, stack) == seen("[c]", "[d]", "[program]"))
    }

    @Test func processIsSettledWhenNoSampleCanBeOlderThanItsEvents() {
        var (processes, _) = made()
        #expect(processes.isSettled(7) && processes.isSettled(8))
        processes.note(KernelUnwinder.Change(process: 7, kind: mapped(0x5000, "/b"), time: 200))
        #expect(!processes.isSettled(7) && processes.isSettled(8))
        processes.endRound(at: 210)
        #expect(!processes.isSettled(7))
        // A copy of events that are still needed.
        processes.note(KernelUnwinder.Change(process: 8, kind: .forked(parent: 7), time: 215))
        #expect(!processes.isSettled(8))
        for time in [220, 221, 222] as [UInt64] { processes.endRound(at: time) }
        #expect(processes.isSettled(7) && processes.isSettled(8))
        // What changed in a round of which events were lost.
        processes.note(KernelUnwinder.Change(process: 0, kind: .lost, time: 230))
        processes.note(FakeImages.files([(0x1000, "/program"), (0x5000, "/c")], readAt: 240), of: 7)
        #expect(!processes.isSettled(7) && processes.isSettled(8))
    }

    /// 200 processes per second for hours.
    @Test func processesThatEndedAreForgotten() {
        var (processes, images) = made()
        for round in 1...1000 as ClosedRange<UInt64> {
            let child = Int32(round) + 100
            let time = round * 1000
            processes.note(KernelUnwinder.Change(process: child, kind: .forked(parent: 7), time: time))
            processes.note(KernelUnwinder.Change(process: child, kind: mapped(0x5000, "/b"), time: time + 1))
            processes.note(KernelUnwinder.Change(process: child, kind: .ended, time: time + 2))
            processes.endRound(at: time + 3)
            // Samples of its last moments may still be unread.
            #expect(see(&processes, child, at: time + 1, by: images) == seen("[b]", end: .mappingChanged))
        }
        #expect(processes.count <= 2)
    }

    /// A file's code is the same code in all processes that map it.
    @Test func stacksOfAllProcessesAreTheSame() {
        var processes = ProcessHistories()
        var stacks: Set<[Sample.Frame]> = []
        for process in 1...100 as ClosedRange<Int32> {
            let start = UInt64(process) << 20
            let images = FakeImages.files([(start, "/a"), (start + 0x1000, "/b")], readAt: 0)
            var stack = Stacks.Stack(
                space: AddressSpace(process: process), command: "x", kernelFrames: [],
                userFrames: [
                    Sample.Frame(start + 0x1234, isExact: true), Sample.Frame(start + 0x1000, isGuessed: true),
                ], end: Self.whole)
            processes.resolve(&stack, at: 5, unwoundBy: images)
            stacks.insert(stack.userFrames)
            #expect(stack.userFrames[0].isExact && !stack.userFrames[0].isGuessed)
            #expect(!stack.userFrames[1].isExact && stack.userFrames[1].isGuessed)
            let symbolizer = Symbolizer(processes)
            // The second frame returns to the address after the first file's last byte, because its call is the last
            // instruction.
            #expect(stack.userFrames.map { symbolizer.name(of: $0, in: stack.space) } == ["[b]", "[a]"])
        }
        #expect(stacks.count == 1)
    }

    @Test func imagesWithoutATableAreNamedWhenTheyAreSeen() {
        var processes = ProcessHistories()
        let images = ProcessImages(
            [FakeImages.mapping(0x1000, "/a", hasTable: false), FakeImages.mapping(0x2000, "/b", hasTable: false)])
        processes.note(images, of: 7)
        #expect(processes.imagesWithoutTable.isEmpty)
        _ = see(&processes, 7, at: 1, by: images, [0x1010])
        #expect(processes.imagesWithoutTable.map(\.name) == ["/a"])
    }
}
