import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Guessed callers of code without call frame information, with the C code of the BPF programs, on both machines. A
/// guess is made only if the code at the return address confirms it.
@Suite(.timeLimit(.minutes(30))) struct GuessTests {
    static let machines: [TableMachine] = [.x86_64, .aarch64]
    /// The start of the frame's function, which has no information, and an address in a function with information.
    private let function = MadeProcess.uncovered
    private let caller = MadeProcess.covered + 0x80

    // MARK: By the frame record

    @Test(arguments: machines) func recordBehindACallOfTheFunctionLeadsToTheCaller(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putCall(before: caller, to: function)
        process.setRecord(returnsTo: caller, fp: MadeProcess.stack + 0x100)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller)
        #expect(process[process.fp] == MadeProcess.stack + 0x100)
        #expect(process[process.sp] == MadeProcess.stack + 0x30)
        #expect(process.has(CFIC_FRAME_GUESSED) && !process.has(CFIC_FRAME_UNCHECKED))
        #expect(!process.has(CFIC_FRAME_EXACT_PC) && !process.has(CFIC_FRAME_ALL_REGISTERS))
        #expect(process.has(CFIC_FRAME_NO_STACK_POINTER) == (machine == .aarch64))
    }

    /// The same in a file without a table, as for code generated at run time.
    @Test(arguments: machines) func codeWithoutATableIsGuessedAboutAlike(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        let made = MadeProcess.bias + 0x11000
        process.frame.machine.pc = made + 0x10
        process.putCall(before: made + 0x800, to: made)
        process.setRecord(returnsTo: made + 0x800)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == made + 0x800)
    }

    @Test(arguments: machines) func callOfWhatARegisterSaysCanHaveLedAnywhere(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putIndirectCall(before: caller)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && process.has(CFIC_FRAME_GUESSED) && !process.has(CFIC_FRAME_UNCHECKED))
    }

    @Test(arguments: machines) func whatIsBehindNoCallIsNoCaller(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.setRecord(returnsTo: caller)
        let before = process.frame.machine.pc
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        #expect(process.pc == before && process[process.sp] == MadeProcess.stack && !process.has(CFIC_FRAME_GUESSED))
    }

    @Test(arguments: machines) func whatIsNotExecutableIsNoCaller(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        for address in [MadeProcess.end + 0x100, 0x5000_0000, 1, 0] {
            process.words[(address &- 8) & ~7] = 0xd0ff_d0ff_d0ff_d0ff
            process.setRecord(returnsTo: address)
            #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER, "\(address)")
        }
    }

    /// The record belongs to another function, which the call before its return address calls.
    @Test(arguments: machines) func callOfAnotherFunctionIsNoneOfThisOne(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        // A function with information, one after the frame's pc, one too far before it, and an unmapped address.
        for target in [
            MadeProcess.covered, process.pc + 4, process.pc &- UInt64(CFIC_FUNCTION_MAX), MadeProcess.end + 0x1000,
        ] {
            process.putCall(before: caller, to: target)
            process.setRecord(returnsTo: caller)
            #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER, "\(target)")
        }
    }

    /// The target is further before the pc than any function is long.
    @Test(arguments: machines) func callOfCodeFarBeforeIsNoneOfThisFunction(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.extra = MadeProcess.bias - 0x20_0000..<MadeProcess.bias
        let target = process.pc - UInt64(CFIC_FUNCTION_MAX)
        process.putCall(before: caller, to: target)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.putCall(before: caller, to: target + 4)
        #expect(process.step() == CFIC_STEP_CALLER)
    }

    @Test(arguments: machines) func frameStandsBehindItsOwnCallsAsWell(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        // A call that is its last instruction: the return address is another function's first.
        process.frame.flags = 0
        process.frame.machine.pc = function + 0x40
        process.putCall(before: caller, to: function + 0x40)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.putCall(before: caller, to: function)
        #expect(process.step() == CFIC_STEP_CALLER)
    }

    @Test(arguments: machines) func framePointerThatIsNoneIsNotFollowed(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putCall(before: caller, to: function)
        process.setRecord(at: MadeProcess.stack - 16, returnsTo: caller)
        process.words[MadeProcess.stack] = 0
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        // Eight bytes that span two words.
        let record = MadeProcess.stack + 0x20
        process.words = [record: 0, record + 8: caller << 32, record + 16: 0]
        process[process.fp] = record + 4
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.setRecord(returnsTo: caller)
        process.frame.flags |= UInt32(CFIC_FRAME_NO_FRAME_POINTER)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.frame.flags &= ~UInt32(CFIC_FRAME_NO_FRAME_POINTER)
        #expect(process.step() == CFIC_STEP_CALLER)
    }

    @Test(arguments: machines) func codeThatCannotBeReadLeavesAGuessUnchecked(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.unreadable = Set(caller - 8..<caller)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && process.has(CFIC_FRAME_GUESSED) && process.has(CFIC_FRAME_UNCHECKED))
    }

    // MARK: Leaves

    /// A leaf that doesn't change the frame pointer, so that the record leads to its caller's caller.
    @Test(arguments: machines) func leafIsFoundWhereTheRecordIsAnothers(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        let grandparent = caller + 0x40
        process.putCall(before: grandparent, to: MadeProcess.covered)
        process.setRecord(returnsTo: grandparent)
        process.putCall(before: caller, to: function)
        process.setLeaf(returnsTo: caller)
        let kept = process[process.fp]
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && process[process.fp] == kept)
        // It pushed nothing.
        #expect(process[process.sp] == MadeProcess.stack + (machine == .x86_64 ? 8 : 0))
        #expect(process.has(CFIC_FRAME_GUESSED) && !process.has(CFIC_FRAME_NO_STACK_POINTER))
    }

    @Test(arguments: machines) func leafIsFoundWithoutAFramePointer(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.frame.flags |= UInt32(CFIC_FRAME_NO_FRAME_POINTER)
        process.putIndirectCall(before: caller)
        process.setLeaf(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && process.has(CFIC_FRAME_NO_FRAME_POINTER))
    }

    @Test(arguments: machines) func callOfTheLeafSpeaksLouderThanOneOfARegister(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putIndirectCall(before: caller + 0x40)
        process.setRecord(returnsTo: caller + 0x40)
        process.putCall(before: caller, to: function)
        process.setLeaf(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller)
    }

    @Test(arguments: machines) func theCallThatLeadsNearestIsTheOneOfThisFunction(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putCall(before: caller + 0x40, to: function - 0x100)
        process.setRecord(returnsTo: caller + 0x40)
        process.putCall(before: caller, to: function)
        process.setLeaf(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller)
    }

    /// A return address left over from an earlier call follows a call, too.
    @Test(arguments: machines) func ofEqualEvidenceTheRecordCounts(machine: TableMachine) throws {
        for isDirect in [false, true] {
            let process = try MadeProcess(machine)
            for address in [caller, caller + 0x40] {
                process.putIndirectCall(before: address)
                if isDirect { process.putCall(before: address, to: function) }
            }
            process.setRecord(returnsTo: caller + 0x40)
            process.setLeaf(returnsTo: caller)
            #expect(process.step() == CFIC_STEP_CALLER)
            #expect(process.pc == caller + 0x40, "\(isDirect)")
        }
    }

    /// The function called another one at a lower address. The return address left over from that call is not its own.
    @Test(arguments: machines) func leftoverOfTheFunctionsOwnCallIsNoLeafs(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putIndirectCall(before: caller)
        process.setRecord(returnsTo: caller)
        process.putCall(before: process.pc - 0x10, to: function - 0x200)
        process.setLeaf(returnsTo: process.pc - 0x10)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller)
    }

    /// In a frame that called another one, its return address is no longer on top of the stack or in the link register.
    @Test(arguments: machines) func onlyInnermostAndInterruptedFramesAreLeaves(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.frame.flags = 0
        process.putCall(before: caller, to: function)
        process.setLeaf(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.frame.flags = UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS)
        #expect(process.step() == CFIC_STEP_CALLER)
    }

    /// A return address on aarch64 may have an authentication code in its upper bits.
    @Test func codesOfReturnAddressesAreStripped() throws {
        let code: UInt64 = 0x00a5_0000_0000_0000
        let record = try MadeProcess(.aarch64)
        record.putCall(before: caller, to: function)
        record.setRecord(returnsTo: caller | code)
        #expect(record.step() == CFIC_STEP_CALLER && record.pc == caller)
        let leaf = try MadeProcess(.aarch64)
        leaf.putCall(before: caller, to: function)
        leaf.setLeaf(returnsTo: caller | code)
        #expect(leaf.step() == CFIC_STEP_CALLER && leaf.pc == caller)
    }

    /// On aarch64 a record doesn't give the stack pointer, so a rule that reads it can't be used, and the next step is
    /// a guess, too.
    @Test func oneGuessOfAArch64LeadsToTheNext() throws {
        let process = try MadeProcess(.aarch64)
        process.frame.machine.pc = MadeProcess.covered + 0x40
        process.frame.flags = UInt32(CFIC_FRAME_GUESSED | CFIC_FRAME_NO_STACK_POINTER)
        process.putCall(before: MadeProcess.covered + 0xc0, to: MadeProcess.covered)
        process.setRecord(returnsTo: MadeProcess.covered + 0xc0)
        // The value that the rule would read.
        process[30] = MadeProcess.covered + 0x20
        process.words[MadeProcess.stack + 24] = MadeProcess.covered + 0x20
        #expect(process.step() == CFIC_STEP_CALLER && process.pc == MadeProcess.covered + 0xc0)
        #expect(process.has(CFIC_FRAME_NO_STACK_POINTER) && process.has(CFIC_FRAME_GUESSED))
    }

    // MARK: Stubs

    @Test(arguments: machines) func stubOfTheLinkageTableLeadsToTheFunction(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        let (stub, slot) = (MadeProcess.covered + 0x20, UInt64(0x7003_0010))
        process.putStub(at: stub, slot: slot)
        process.putCall(before: caller, to: stub)
        process.setRecord(returnsTo: caller)
        process.words[slot] = MadeProcess.covered
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.words[slot] = function
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && !process.has(CFIC_FRAME_UNCHECKED))
    }

    @Test(arguments: machines) func stubWhoseSlotCannotBeReadLeavesAGuessUnchecked(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putStub(at: MadeProcess.covered + 0x20, slot: 0x7003_0010)
        process.putCall(before: caller, to: MadeProcess.covered + 0x20)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.has(CFIC_FRAME_UNCHECKED))
    }

    /// A stub pushes nothing, so its return address is on top of the stack or in the link register.
    @Test(arguments: machines) func callerOfAStubWithoutInformationIsFound(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.putStub(at: function, slot: 0x7003_0010)
        process.frame.machine.pc = function + 4
        process.putCall(before: caller, to: function)
        process.setLeaf(returnsTo: caller)
        process[process.fp] = 12345
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == caller && process[process.fp] == 12345)
    }

    /// As in clone3, whose call frame information ends before its system call.
    @Test(arguments: machines) func codeRightBehindWhatACallLeadsToIsTheSameFunction(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        let start = MadeProcess.covered + 0xf0
        process.putCall(before: caller, to: start)
        process.setLeaf(returnsTo: caller)
        process.frame.machine.pc = start + UInt64(CFIC_FUNCTION_NEAR)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.frame.machine.pc = start + UInt64(CFIC_FUNCTION_NEAR) - 4
        #expect(process.step() == CFIC_STEP_CALLER)
    }

    // MARK: Ends

    @Test(arguments: machines) func zeroFramePointerEndsTheChainBehindTheInnermostFrame(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process[process.fp] = 0
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        process.frame.flags = UInt32(CFIC_FRAME_GUESSED)
        #expect(process.step() == CFIC_STEP_END_OF_CHAIN)
        process.frame.flags = UInt32(CFIC_FRAME_NO_FRAME_POINTER)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
    }

    /// Zeros are no evidence, because they are common in memory.
    @Test(arguments: machines) func zerosWhereTheFramePointerLeadsAreNoEnd(machine: TableMachine) throws {
        for flags in [CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC, 0] {
            let process = try MadeProcess(machine)
            process.frame.flags = UInt32(flags)
            process.setRecord(returnsTo: 0)
            #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        }
    }

    // MARK: Marks

    /// A frame found by a rule inherits the marks of its callee.
    @Test func marksOfAFrameAreThoseOfItsCallers() throws {
        let process = try MadeProcess(.x86_64)
        for marks in [0, CFIC_FRAME_GUESSED, CFIC_FRAME_GUESSED | CFIC_FRAME_UNCHECKED] {
            process.frame.machine.pc = caller
            process.frame.flags = UInt32(marks)
            process[7] = MadeProcess.stack
            process.words[MadeProcess.stack + 24] = MadeProcess.bias + 0x2008
            process.putIndirectCall(before: MadeProcess.bias + 0x2008)
            #expect(process.step() == CFIC_STEP_CALLER)
            #expect(process.frame.flags == UInt32(marks))
            #expect(process.step() == CFIC_STEP_END_OF_STACK)
        }
    }

    /// Rules compute some caller for any frame. After a guess, its pc must follow a call.
    @Test func whatRulesFindBehindAGuessIsBehindACall() throws {
        let process = try MadeProcess(.x86_64)
        let address = MadeProcess.covered + 0x20
        func step(_ marks: Int32) -> cfic_step {
            process.frame.machine.pc = caller
            process.frame.flags = UInt32(marks)
            process[7] = MadeProcess.stack
            process.words[MadeProcess.stack + 24] = address
            return process.step()
        }
        #expect(step(0) == CFIC_STEP_CALLER)
        #expect(step(CFIC_FRAME_GUESSED) == CFIC_STEP_NO_CALL)
        process.putIndirectCall(before: address)
        #expect(step(CFIC_FRAME_GUESSED) == CFIC_STEP_CALLER)
        process.putCall(before: address, to: 0)
        #expect(step(CFIC_FRAME_GUESSED) == CFIC_STEP_CALLER)
        // Code that can't be read is accepted.
        process.unreadable = Set(address - 8..<address)
        #expect(step(CFIC_FRAME_GUESSED) == CFIC_STEP_CALLER)
        // The return address of a signal handler is accepted.
        process.unreadable = []
        process.code = [:]
        process.put([0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05], endingAt: address + 7)
        #expect(step(CFIC_FRAME_GUESSED) == CFIC_STEP_CALLER)
    }

    /// The pc of an interrupted frame follows no call, nor does a handler's return address, as its rule states.
    @Test func signalsAreNoCalls() throws {
        let process = try MadeProcess(.x86_64)
        process.frame.machine.pc = caller
        process.frame.flags = UInt32(CFIC_FRAME_GUESSED)
        process.words[MadeProcess.stack + 24] = MadeProcess.signal + 4
        process.words[MadeProcess.stack + 56] = MadeProcess.covered + 0x20
        #expect(process.step() == CFIC_STEP_CALLER && process.pc == MadeProcess.signal + 4)
        #expect(process.step() == CFIC_STEP_CALLER && process.pc == MadeProcess.covered + 0x20)
        #expect(process.has(CFIC_FRAME_EXACT_PC) && process.has(CFIC_FRAME_GUESSED))
    }

    @Test(arguments: machines) func guessBehindAnUncheckedOneIsUncheckedToo(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        process.frame.flags = UInt32(CFIC_FRAME_GUESSED | CFIC_FRAME_UNCHECKED)
        process.putCall(before: caller, to: function)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.has(CFIC_FRAME_UNCHECKED))
    }
}
