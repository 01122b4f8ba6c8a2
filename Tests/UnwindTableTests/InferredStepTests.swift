import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Steps by inferred rules mark the caller's frame, and only that.
@Suite struct InferredStepTests {
    /// By the short rule of a usual frame, and by a long one of an unusual frame.
    @Test(
        arguments: TableMachine.allCases,
        [(MadeProcess.inferred, 32), (MadeProcess.inferredOddly, 20)] as [(UInt64, UInt64)])
    func callerIsMarked(machine: TableMachine, _ function: (UInt64, UInt64)) throws {
        let (start, size) = function
        let lost = size == 32 ? 0 : UInt32(CFIC_FRAME_NO_FRAME_POINTER)
        let process = try MadeProcess(machine)
        process.frame.machine.pc = start + 0x40
        // The end of the frame is at a multiple of 8.
        let caller = MadeProcess.stack + size / 8 * 8
        process[process.sp] = caller - size
        process.words[caller - 8] = MadeProcess.covered + 8
        #expect(process.step() == CFIC_STEP_CALLER)
        #expect(process.pc == MadeProcess.covered + 8 && process[process.sp] == caller)
        #expect(process.frame.flags == UInt32(CFIC_FRAME_INFERRED) | lost)
        // The next step is by a rule that isn't inferred.
        process.words[caller + 24] = MadeProcess.covered + 8
        if machine == .aarch64 {
            process[30] = MadeProcess.covered + 8
            process.frame.flags |= UInt32(CFIC_FRAME_ALL_REGISTERS)
        }
        #expect(process.step() == CFIC_STEP_CALLER && process.frame.flags == lost)
    }

    /// What a guess led to isn't found by the rule that led to the frame before.
    @Test(arguments: TableMachine.allCases) func guessTakesTheMarkAway(machine: TableMachine) throws {
        let process = try MadeProcess(machine)
        let caller = MadeProcess.covered + 8
        process.putIndirectCall(before: caller)
        process.setRecord(returnsTo: caller, fp: 1)
        process.frame.flags |= UInt32(CFIC_FRAME_INFERRED)
        #expect(process.step() == CFIC_STEP_CALLER && process.pc == caller)
        #expect(process.has(CFIC_FRAME_GUESSED) && !process.has(CFIC_FRAME_INFERRED))
    }
}
