import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// The instructions that count as a call before a return address: only then a guess is made.
@Suite(.timeLimit(.minutes(30))) struct CallTests {
    private let caller = MadeProcess.covered + 0x80
    private let function = MadeProcess.uncovered

    /// Whether the frame record's return address is accepted after these bytes.
    private func isCall(_ machine: TableMachine, _ bytes: [UInt8]) throws -> Bool {
        let process = try MadeProcess(machine)
        process.put(bytes, endingAt: caller)
        process.setRecord(returnsTo: caller)
        let step = process.step()
        #expect(step == CFIC_STEP_CALLER || step == CFIC_STEP_BAD_FRAME_POINTER)
        return step == CFIC_STEP_CALLER
    }

    /// Intel SDM volume 2, CALL: FF /2, by ModRM and SIB.
    @Test(
        arguments: [
            [0xff, 0xd0], [0xff, 0xd7], [0x41, 0xff, 0xd4],  // call *%rax, *%rdi, *%r12
            [0xff, 0x10], [0xff, 0x17],  // call *(%rax), *(%rdi)
            [0xff, 0x14, 0x24], [0xff, 0x14, 0xc8],  // call *(%rsp), *(%rax,%rcx,8)
            [0xff, 0x50, 0x18], [0xff, 0x57, 0x80],  // call *0x18(%rax), *-0x80(%rdi)
            [0xff, 0x54, 0x24, 0x18],  // call *0x18(%rsp)
            [0xff, 0x15, 1, 2, 3, 4],  // call *0x4030201(%rip)
            [0xff, 0x90, 1, 2, 3, 4],  // call *0x4030201(%rax)
            [0xff, 0x94, 0x24, 1, 2, 3, 4],  // call *0x4030201(%rsp)
            [0xff, 0x14, 0xc5, 1, 2, 3, 4],  // call *0x4030201(,%rax,8)
            [0xff, 0x14, 0x25, 1, 2, 3, 4],  // call *0x4030201
        ] as [[UInt8]])
    func indirectCallOfX86(bytes: [UInt8]) throws { #expect(try isCall(.x86_64, bytes)) }

    @Test(
        arguments: [
            [0xff, 0xe0],  // jmp *%rax
            [0xff, 0xc0], [0xff, 0xf0],  // inc %eax; push %rax
            [0xfe, 0xd0],
            [0xff, 0x14], [0xff, 0x15], [0xff, 0x50], [0xff, 0x90],  // cut off
            [0xff, 0x10, 0], [0xff, 0xd0, 0x90], [0xff, 0xd0, 0x48, 0x89, 0xc7],  // not right before
            [0xff, 0x54, 0x18], [0xff, 0x94, 1, 2, 3, 4],  // without the SIB byte
            [0xff, 0x14, 0xc5], [0xff, 0x14, 0x24, 1, 2, 3, 4],  // with and without a displacement
            [0xe8, 0, 0, 0, 0],  // call of the return address
            [0x90, 0x90, 0x90], [0x0f, 0x05],
        ] as [[UInt8]])
    func otherCodeOfX86(bytes: [UInt8]) throws { #expect(try !isCall(.x86_64, bytes)) }

    /// Arm ARM C6.2: BLR, BLRAA, BLRAAZ, BLRAB, BLRABZ.
    @Test(
        arguments: [
            0xd63f_0000, 0xd63f_03c0, 0xd73f_0a2a, 0xd63f_0a3f, 0xd73f_0e2a, 0xd63f_0e3f,
        ] as [UInt32])
    func indirectCallOfAArch64(instruction: UInt32) throws { #expect(try isCall(.aarch64, little(instruction))) }

    /// BR, RET, B, and BL of the return address.
    @Test(arguments: [0xd61f_0000, 0xd65f_03c0, 0x1400_0000, 0x9400_0001, 0xd503_201f, 0xd61f_0a3f] as [UInt32])
    func otherCodeOfAArch64(instruction: UInt32) throws { #expect(try !isCall(.aarch64, little(instruction))) }

    @Test(arguments: [TableMachine.x86_64, .aarch64])
    func directCallReachesBothWays(machine: TableMachine) throws {
        for caller in [MadeProcess.bias + 0x1080, MadeProcess.bias + 0x8000, MadeProcess.bias + 0x1f000] {
            let process = try MadeProcess(machine)
            process.putCall(before: caller, to: function)
            process.setRecord(returnsTo: caller)
            #expect(process.step() == CFIC_STEP_CALLER && process.pc == caller)
        }
    }

    /// A displacement's bytes may look like a direct call. Then the indirect call is accepted, too.
    @Test func bytesThatAreBothMayBeEither() throws {
        // call *0x70001234(%rax,%rbp,8), whose last five bytes look like a call to an address far away.
        #expect(try isCall(.x86_64, [0xff, 0x94, 0xe8, 0x34, 0x12, 0x00, 0x70]))
        #expect(try !isCall(.x86_64, [0x90, 0x90, 0xe8, 0x34, 0x12, 0x00, 0x70]))
    }

    /// Instructions at a call's target that may precede the jump.
    @Test(
        arguments: [
            (TableMachine.x86_64, [0xe9]), (.x86_64, [0xf3, 0x0f, 0x1e, 0xfa, 0xe9]), (.x86_64, [0xf2, 0xe9]),
            (.x86_64, [0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xe9]), (.aarch64, []), (.aarch64, [0x5f, 0x24, 0x03, 0xd5]),
        ] as [(TableMachine, [UInt8])])
    func jumpAtTheTargetIsFollowed(machine: TableMachine, head: [UInt8]) throws {
        let process = try MadeProcess(machine)
        let stub = MadeProcess.covered + 0x20
        let jump = stub + UInt64(head.count)
        if machine == .x86_64 {
            process.put(head + little(UInt32(truncatingIfNeeded: function &- (jump + 4))), endingAt: jump + 4)
        } else {
            let words = UInt32(truncatingIfNeeded: (function &- jump) >> 2) & 0x03ff_ffff
            process.put(head + little(0x1400_0000 | words), endingAt: jump + 4)
        }
        process.putCall(before: caller, to: stub)
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_CALLER && process.pc == caller)
        // The jump leads to another function.
        process.frame.machine.pc = function - 0x100
        process.frame.flags = 0
        process[process.sp] = MadeProcess.stack
        process.setRecord(returnsTo: caller)
        #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
    }
}
