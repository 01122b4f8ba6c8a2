@testable import KernelUnwinder
@testable import Profile
import Testing

/// Which program an address belongs to.
@Suite struct ProgramsTests {
    private func images(_ name: String, at start: UInt64 = 0x1000, readAt time: UInt64 = 0) -> ProcessImages {
        FakeImages.named([(start, name)], readAt: time)
    }

    private func name(_ programs: Programs, _ process: Int32, at time: UInt64, _ address: UInt64 = 0x1000) -> String? {
        programs.images(of: programs.program(of: process, at: time))?.mapping(at: address)?.name
    }

    @Test func execSeparatesPrograms() {
        var programs = Programs()
        programs.note(images("/shell"), of: 7, began: true, at: 0)
        programs.note(images("/compiler"), of: 7, began: true, at: 1000)
        programs.note(images("/linker"), of: 7, began: true, at: 2000)
        #expect(name(programs, 7, at: 0) == "/shell" && name(programs, 7, at: 999) == "/shell")
        #expect(name(programs, 7, at: 1000) == "/compiler" && name(programs, 7, at: 1999) == "/compiler")
        #expect(name(programs, 7, at: 2000) == "/linker" && name(programs, 7, at: .max) == "/linker")
    }

    @Test func programsOfProcessesAreTheirOwn() {
        var programs = Programs()
        programs.note(images("/first"), of: 1, began: true, at: 0)
        programs.note(images("/second"), of: 2, began: true, at: 0)
        #expect(name(programs, 1, at: 5) == "/first" && name(programs, 2, at: 5) == "/second")
        #expect(name(programs, 3, at: 5) == nil)
        #expect(programs.program(of: 1, at: 5) != programs.program(of: 2, at: 5))
    }

    @Test func furtherLibrariesBelongToTheProgram() {
        var programs = Programs()
        programs.note(images("/program"), of: 7, began: true, at: 0)
        programs.note(
            FakeImages.named([(0x1000, "/program"), (0x5000, "/library")]), of: 7, began: false, at: 100)
        // Mappings are read after samples were taken: those from before have names, too.
        #expect(programs.program(of: 7, at: 50) == programs.program(of: 7, at: 150))
        #expect(name(programs, 7, at: 50, 0x5000) == "/library")
    }

    /// A library that was closed, and another one in its place.
    @Test func unmappedLibraryKeepsItsNameForWhatWasBefore() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/program"), (0x5000, "/closed")]), of: 7, began: true, at: 0)
        programs.note(FakeImages.named([(0x1000, "/program"), (0x5000, "/opened")]), of: 7, began: false, at: 100)
        #expect(name(programs, 7, at: 99, 0x5000) == "/closed" && name(programs, 7, at: 100, 0x5000) == "/opened")
    }

    /// Both are told by events, before anybody reads what the processes map.
    @Test func childHasItsParentsNamesUntilItRunsAnotherProgram() {
        var programs = Programs()
        programs.note(images("/shell"), of: 7, began: true, at: 0)
        programs.note([
            ProcessEvent(process: 8, kind: .forked(parent: 7), time: 100),
            ProcessEvent(process: 8, kind: .exec, time: 200),
            ProcessEvent(process: 9, kind: .forked(parent: 6), time: 300),
        ])
        #expect(name(programs, 8, at: 150) == "/shell")
        // It ended before it could be read: no name is better than a wrong one.
        #expect(name(programs, 8, at: 250) == nil)
        #expect(programs.program(of: 8, at: 150) != programs.program(of: 8, at: 250))
        programs.note(images("/compiler"), of: 8, began: true, at: 200)
        #expect(name(programs, 8, at: 150) == "/shell" && name(programs, 8, at: 250) == "/compiler")
        #expect(name(programs, 7, at: 250) == "/shell")
        #expect(name(programs, 9, at: 300) == nil)
    }

    /// A child that was read when it ran another program already, which the next event will say.
    @Test func whatAChildMapsLaterIsNotTakenForWhatItBeganWith() {
        var programs = Programs()
        programs.note(images("/shell"), of: 7, began: true, at: 0)
        programs.note([ProcessEvent(process: 8, kind: .forked(parent: 7), time: 100)])
        programs.note(images("/compiler", at: 0x9000), of: 8, began: true, at: 100)
        programs.note([ProcessEvent(process: 8, kind: .exec, time: 200)])
        programs.note(images("/compiler", at: 0x9000), of: 8, began: true, at: 200)
        #expect(name(programs, 8, at: 150) == "/shell")
        #expect(name(programs, 8, at: 250, 0x9000) == "/compiler")
    }

    /// Programs that only start others: a program was read when the next one ran already.
    @Test func whatWasReadOfTheNextProgramIsNotTheOneBefore() {
        var programs = Programs()
        programs.note(images("/shell"), of: 7, began: true, at: 0)
        programs.note([ProcessEvent(process: 7, kind: .exec, time: 100)])
        programs.note(images("/compiler", readAt: 250), of: 7, began: true, at: 100)
        programs.note([ProcessEvent(process: 7, kind: .exec, time: 200)])
        programs.note(images("/compiler", readAt: 260), of: 7, began: true, at: 200)
        #expect(name(programs, 7, at: 50) == "/shell")
        #expect(name(programs, 7, at: 150) == nil)
        #expect(name(programs, 7, at: 200) == "/compiler")
    }

    @Test func codeMadeAtRunTimeMakesNoFurtherPrograms() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/program"), (0x5000, "")]), of: 7, began: true, at: 0)
        for time in 1...10 as ClosedRange<UInt64> {
            let made = FakeImages.named([(0x1000, "/program"), (0x5000 + time << 12, "")])
            programs.note(made, of: 7, began: false, at: time)
        }
        #expect(programs.program(of: 7, at: 20) == programs.program(of: 7, at: 0))
    }

    @Test func processThatEndedKeepsItsNames() {
        var programs = Programs()
        programs.note(images("/program"), of: 7, began: true, at: 0)
        programs.note(KernelUnwinder.Change(process: 7, kind: .ended, time: 10))
        // One that is read when it has ended maps nothing.
        programs.note(KernelUnwinder.Change(process: 7, kind: .mapped(FakeImages.named([])), time: 11))
        #expect(name(programs, 7, at: 12) == "/program")
    }

    @Test func idThatIsUsedAgainIsAnotherProgram() {
        var programs = Programs()
        programs.note(images("/old"), of: 7, began: true, at: 0)
        programs.note(images("/parent"), of: 1, began: true, at: 0)
        programs.note([ProcessEvent(process: 7, kind: .forked(parent: 1), time: 500)])
        #expect(name(programs, 7, at: 499) == "/old" && name(programs, 7, at: 500) == "/parent")
    }

    // MARK: Lost events

    /// The name at 0x1000 for a sample that says what it was unwound by.
    private func name(
        _ programs: inout Programs, _ process: Int32, at time: UInt64, unwoundBy mappings: UInt32
    ) -> String? {
        let program = programs.program(of: process, at: time, unwoundBy: mappings)
        return programs.images(of: program)?.mapping(at: 0x1000)?.name
    }

    @Test func childWhoseBeginningNobodySawHasTheNamesThatItWasUnwoundBy() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/shell")], number: 3), of: 7, began: true, at: 0)
        #expect(name(&programs, 8, at: 100, unwoundBy: 3) == "/shell")
        #expect(name(&programs, 8, at: 50, unwoundBy: 3) == "/shell")
        #expect(name(&programs, 9, at: 100, unwoundBy: 0) == nil && name(&programs, 9, at: 100, unwoundBy: 4) == nil)
        // Each once, however many samples there are.
        let one = programs.program(of: 8, at: 100, unwoundBy: 3)
        #expect(programs.program(of: 8, at: 200, unwoundBy: 3) == one)
    }

    @Test func idThatIsUsedAgainUnseenHasTheNamesThatItWasUnwoundBy() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/old")], number: 1), of: 7, began: true, at: 0)
        programs.note(FakeImages.named([(0x1000, "/parent")], number: 2), of: 1, began: true, at: 0)
        #expect(name(&programs, 7, at: 10, unwoundBy: 1) == "/old")
        #expect(name(&programs, 7, at: 500, unwoundBy: 2) == "/parent")
        // Samples of several CPUs come in any order.
        #expect(name(&programs, 7, at: 11, unwoundBy: 1) == "/old")
        #expect(name(&programs, 7, at: 501, unwoundBy: 2) == "/parent")
        #expect(programs.program(of: 7, at: 502, unwoundBy: 2).number == 1)
    }

    /// Both have it where nothing was when they parted.
    @Test func librariesThatAParentOpensAreNotItsChilds() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/p")], number: 1), of: 7, began: true, at: 0)
        programs.note([ProcessEvent(process: 8, kind: .forked(parent: 7), time: 10)])
        programs.note(FakeImages.named([(0x1000, "/p"), (0x5000, "/a")], number: 2), of: 7, began: false, at: 20)
        programs.note(FakeImages.named([(0x1000, "/p"), (0x5000, "/b")], number: 3), of: 8, began: false, at: 25)
        for (time, mappings) in [(15, 1), (30, 1), (30, 3)] as [(UInt64, UInt32)] {
            let program = programs.program(of: 8, at: time, unwoundBy: mappings)
            #expect(program.number == 0 && programs.images(of: program)?.mapping(at: 0x5000)?.name == "/b")
        }
    }

    @Test func childWhoseParentGoesOnOpeningLibrariesIsOneProgram() {
        var programs = Programs()
        var parent = [(0x1000 as UInt64, "/p")]
        programs.note(FakeImages.named(parent, number: 1), of: 7, began: true, at: 0)
        var seen: Set<ProgramID> = []
        for number in 2...100 as ClosedRange<UInt32> {
            parent.append((UInt64(number) << 16, "/library"))
            programs.note(FakeImages.named(parent, number: number), of: 7, began: false, at: UInt64(number))
            seen.insert(programs.program(of: 8, at: UInt64(number), unwoundBy: 1))
        }
        #expect(seen.count == 1)
    }

    /// The beginning of a process was lost, and what it ran before its program is known by a sample only.
    @Test func sampleFromBeforeAnExecDoesNotChangeWhatRanAfterwards() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/shell")], number: 1), of: 1, began: true, at: 0)
        programs.note([ProcessEvent(process: 7, kind: .exec, time: 100)])
        programs.note(FakeImages.named([(0x1000, "/program")], number: 2), of: 7, began: true, at: 100)
        #expect(name(&programs, 7, at: 50, unwoundBy: 1) == "/shell")
        // Of a sample without mappings only the time is known.
        #expect(name(&programs, 7, at: 120, unwoundBy: 0) == "/program" && name(programs, 7, at: 60) == "/shell")
        programs.note([ProcessEvent(process: 8, kind: .forked(parent: 7), time: 170)])
        #expect(name(programs, 8, at: 180) == "/program")
        let more = FakeImages.named([(0x1000, "/program"), (0x5000, "/library")], number: 3)
        programs.note(more, of: 7, began: false, at: 200)
        #expect(programs.program(of: 7, at: 250, unwoundBy: 3) == programs.program(of: 7, at: 120, unwoundBy: 2))
    }

    /// A library was opened since: names are those of all that is known.
    @Test func sampleThatWasUnwoundByLessBelongsToTheSameProgram() {
        var programs = Programs()
        programs.note(FakeImages.named([(0x1000, "/program")], number: 1), of: 7, began: true, at: 0)
        programs.note(
            FakeImages.named([(0x1000, "/program"), (0x5000, "/library")], number: 2), of: 7, began: false, at: 100)
        let program = programs.program(of: 7, at: 50, unwoundBy: 1)
        #expect(program == programs.program(of: 7, at: 150, unwoundBy: 2))
        #expect(programs.images(of: program)?.mapping(at: 0x5000)?.name == "/library")
    }
}
