import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Code without call frame information that is recognised by its system call, such as musl's signal restorer and thread
/// start.
@Suite(.timeLimit(.minutes(30))) struct KnownCodeTests {
    static let machines: [TableMachine] = [.x86_64, .aarch64]
    /// Address of the restorer, which has 9, 7 or 8 bytes.
    private let start = MadeProcess.uncovered

    private static let restorers: [(machine: TableMachine, code: [UInt8], call: UInt64)] = [
        (.x86_64, [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], 7),  // mov $15, %rax; syscall
        (.x86_64, [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05], 5),  // mov $15, %eax; syscall
        (.aarch64, [0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4], 4),  // mov x8, #139; svc #0
    ]

    /// A process in a restorer, with the kernel's signal frame at the stack pointer. Each saved register contains its
    /// own number.
    private func process(_ machine: TableMachine, _ code: [UInt8], at pc: UInt64, flags: Int32) throws -> MadeProcess {
        let process = try MadeProcess(machine)
        process.put(code, endingAt: start + UInt64(code.count))
        process.frame.machine.pc = pc
        process.frame.flags = UInt32(flags)
        // struct ucontext: x86-64 r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip; aarch64 x0 to x30, sp, pc.
        let registers: [UInt64] =
            machine == .x86_64
            ? [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 99] : Array(0...31) + [99]
        let first: UInt64 = machine == .x86_64 ? 40 : 312
        for (index, register) in registers.enumerated() {
            process.words[MadeProcess.stack + first + 8 * UInt64(index)] = register == 99 ? 0x7777 : 0x100 + register
        }
        return process
    }

    private func expectInterrupted(_ process: MadeProcess, _ comment: String) {
        #expect(process.step() == CFIC_STEP_CALLER, "\(comment)")
        #expect(process.pc == 0x7777 && process[process.sp] == 0x100 + UInt64(process.sp), "\(comment)")
        for register in 0..<(process.machine == .x86_64 ? 16 : 32) {
            #expect(process[register] == 0x100 + UInt64(register), "\(comment)")
        }
    }

    /// The handler returns to the restorer's first byte; the preceding byte belongs to another function.
    @Test func handlerReturnsToARestorerWhoseCallerWasInterrupted() throws {
        for (machine, code, _) in Self.restorers {
            for flags in [0, CFIC_FRAME_GUESSED] {
                let process = try process(machine, code, at: start, flags: flags)
                expectInterrupted(process, "\(code)")
                #expect(
                    process.frame.flags
                        == UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_INTERRUPTED | flags))
            }
        }
    }

    /// At each of its instructions, and in its system call, which is recognised by the registers.
    @Test func everyPlaceInARestorerIsKnown() throws {
        let innermost = CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS
        for (machine, code, call) in Self.restorers {
            for place in [0, call] {
                expectInterrupted(try process(machine, code, at: start + place, flags: innermost), "\(code) \(place)")
            }
            let end = start + UInt64(code.count)
            let inCall = try process(machine, code, at: end, flags: innermost)
            // After the system call another function starts, unless the registers are those of the call.
            #expect(inCall.step() == CFIC_STEP_BAD_FRAME_POINTER)
            inCall[machine == .x86_64 ? 2 : 8] = machine == .x86_64 ? end : 139
            expectInterrupted(inCall, "\(code) end")
        }
    }

    @Test func otherSystemCallsAreNoRestorers() throws {
        for (machine, code, call) in Self.restorers {
            for position in code.indices {
                var other = code
                other[position] ^= 0x20
                let process = try process(machine, other, at: start, flags: 0)
                #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER, "\(other)")
            }
            // A return address can only be the restorer's first byte.
            let process = try process(machine, code, at: start + call, flags: 0)
            #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER)
        }
    }

    /// glibc's clone3, between its system call and the next call frame information. In the creating thread it has a
    /// caller.
    @Test(arguments: machines) func newThreadIsTheOutermost(machine: TableMachine) throws {
        let innermost = CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS
        // mov $435, %eax; syscall. mov x8, #435; svc #0
        let code: [UInt8] =
            machine == .x86_64
            ? [0xb8, 0xb3, 0x01, 0, 0, 0x0f, 0x05] : [0x68, 0x36, 0x80, 0xd2, 0x01, 0, 0, 0xd4]
        let end = start + UInt64(code.count)
        for distance: UInt64 in machine == .x86_64 ? [0, 3, 5] : [0, 4] {
            let child = try process(machine, code, at: end + distance, flags: innermost)
            child[0] = 0
            #expect(child.step() == CFIC_STEP_END_OF_STACK, "\(distance)")
            let parent = try process(machine, code, at: end + distance, flags: innermost)
            parent[0] = 1234
            parent.putCall(before: MadeProcess.covered + 0x80, to: start)
            parent.setLeaf(returnsTo: MadeProcess.covered + 0x80)
            #expect(parent.step() == CFIC_STEP_CALLER && parent.pc == MadeProcess.covered + 0x80, "\(distance)")
        }
        // With unknown registers, or after another system call, the frame is not outermost.
        let unknown = try process(machine, code, at: end, flags: CFIC_FRAME_EXACT_PC)
        unknown[0] = 0
        #expect(unknown.step() == CFIC_STEP_BAD_FRAME_POINTER)
        for position in code.indices {
            var other = code
            other[position] ^= 0x40
            let process = try process(machine, other, at: end, flags: innermost)
            process[0] = 0
            #expect(process.step() == CFIC_STEP_BAD_FRAME_POINTER, "\(other)")
        }
    }

    /// The vsyscall page, which all x86-64 processes have and which is in no file. Its functions push nothing.
    @Test func functionsOfTheVsyscallPageAreLeaves() throws {
        let innermost = CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS
        let process = try process(.x86_64, [], at: 0xffff_ffff_ff60_0400, flags: innermost)
        process.extra = 0xffff_ffff_ff60_0000..<0xffff_ffff_ff60_1000
        process.words[MadeProcess.stack] = MadeProcess.covered + 8
        #expect(process.step() == CFIC_STEP_CALLER)
        // The caller is found by a rule and not marked as guessed.
        #expect(process.pc == MadeProcess.covered + 8 && process.frame.flags == 0)
        #expect(process[7] == MadeProcess.stack + 8 && process[6] == 1)
        // A return address can't be there.
        let called = try self.process(.x86_64, [], at: 0xffff_ffff_ff60_0400, flags: 0)
        called.extra = process.extra
        #expect(called.step() == CFIC_STEP_BAD_FRAME_POINTER)
    }

    /// musl's clone: it calls the thread's function, then exit(2).
    @Test(arguments: machines) func codeThatExitsBehindItsCallIsTheOutermost(machine: TableMachine) throws {
        let code: [UInt8] =
            machine == .x86_64
            ? [0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05] : [0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4]
        for position in code.indices {
            var other = code
            other[position] ^= 0x40
            #expect(try process(machine, other, at: start, flags: 0).step() == CFIC_STEP_BAD_FRAME_POINTER)
        }
        #expect(try process(machine, code, at: start, flags: 0).step() == CFIC_STEP_END_OF_STACK)
        // Only as a return address: an innermost frame at this address has made no call.
        let innermost = CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS
        #expect(try process(machine, code, at: start, flags: innermost).step() == CFIC_STEP_BAD_FRAME_POINTER)
    }

    /// As the dynamic linker's `_start`, which calls with the stack pointer that the kernel gave it.
    @Test(arguments: machines) func frameWhereTheStackBeginsIsTheOutermost(machine: TableMachine) throws {
        let made = try process(machine, [0x90], at: start, flags: 0)
        #expect(made.step() == CFIC_STEP_BAD_FRAME_POINTER)
        made.stackStart = MadeProcess.stack
        #expect(made.step() == CFIC_STEP_END_OF_STACK)
        for distance: UInt64 in [8, .max - 7] {
            made.stackStart = MadeProcess.stack &+ distance
            #expect(made.step() == CFIC_STEP_BAD_FRAME_POINTER, "\(distance)")
        }
        // On aarch64, the innermost frame's return address may be in the link register.
        let innermost = try process(
            machine, [0x90], at: start, flags: CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS)
        innermost.stackStart = MadeProcess.stack
        #expect(innermost.step() == (machine == .x86_64 ? CFIC_STEP_END_OF_STACK : CFIC_STEP_BAD_FRAME_POINTER))
        // A guessed stack pointer may be anything.
        let guessed = try process(machine, [0x90], at: start, flags: CFIC_FRAME_GUESSED | CFIC_FRAME_NO_STACK_POINTER)
        guessed.stackStart = MadeProcess.stack
        if machine == .aarch64 { #expect(guessed.step() == CFIC_STEP_BAD_FRAME_POINTER) }
        // Code with a rule follows it, wherever its stack pointer is.
        let ruled = try process(machine, [], at: MadeProcess.covered + 0x40, flags: CFIC_FRAME_ALL_REGISTERS)
        ruled.stackStart = MadeProcess.stack
        (ruled.words[MadeProcess.stack + 24], ruled[30]) = (0x5555, 0x5555)
        #expect(ruled.step() == CFIC_STEP_CALLER && ruled.pc == 0x5555)
    }
}
