import CUnwindTable
import Glibc
import TestFixtures
import Testing
import UnwindTable

/// Memory to unwind. It has the words that a test stored; other words are computed from their addresses, unless the
/// memory `isSparse`.
final class Memory {
    var words: [UInt64: UInt64] = [:]
    var isSparse = true

    func byte(at address: UInt64) -> UInt8? {
        let offset = address & 7
        if let word = words[address & ~7] { return UInt8(truncatingIfNeeded: word >> (8 * offset)) }
        return isSparse ? nil : UInt8(truncatingIfNeeded: (address &* 0x9e37_79b9_7f4a_7c15) >> 40)
    }

    func number(at address: UInt64, size: Int = 8) -> UInt64? {
        var number: UInt64 = 0
        for position in 0..<size {
            guard let byte = byte(at: address &+ UInt64(position)) else { return nil }
            number |= UInt64(byte) << UInt64(8 * position)
        }
        return number
    }
}

/// A frame and the data to step to its caller, with the C code of the BPF programs.
struct Unwinder {
    var frame = cfic_frame()
    var machine = TableMachine.x86_64
    var operations: [cfic_op] = []
    let memory = Memory()

    static let sp = 7, fp = 6

    init() {
        frame.address_bits = .max
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        frame.machine.pc = 0x401000
        self[Self.sp] = 0x7ff0_0000
        self[Self.fp] = 0x7ff0_1000
    }

    subscript(register: Int) -> UInt64 {
        get { withUnsafeBytes(of: frame.machine.registers) { $0.load(fromByteOffset: 8 * register, as: UInt64.self) } }
        set {
            withUnsafeMutableBytes(of: &frame.machine.registers) {
                $0.storeBytes(of: newValue, toByteOffset: 8 * register, as: UInt64.self)
            }
        }
    }

    func has(_ flag: Int32) -> Bool { frame.flags & UInt32(flag) != 0 }

    mutating func step(_ rule: cfic_rule) -> cfic_step {
        let memory = memory
        let machine = UInt32(machine.rawValue)
        return operations.withUnsafeBufferPointer { operations in
            var rule = rule
            var reader = cfic_reader(
                read: { context, to, size, address in
                    let memory = Unmanaged<Memory>.fromOpaque(context!).takeUnretainedValue()
                    for position in 0..<Int(size) {
                        guard let byte = memory.byte(at: address &+ UInt64(position)) else { return -1 }
                        to!.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
                    }
                    return 0
                },
                find: nil, context: Unmanaged.passUnretained(memory).toOpaque(), operations: operations.baseAddress,
                operation_count: UInt32(operations.count), guesses: 0, stack_start: 0)
            return cfic_native_unwind(&reader, &frame, &rule, machine)
        }
    }
}

private func value(_ kind: cfic_value_kind, _ register: Int = 0) -> UInt8 {
    UInt8(kind.rawValue) << UInt8(CFIC_VALUE_SHIFT) | UInt8(register)
}

/// A rule with these defaults: CFA = SP + offset, unchanged frame pointer, return address below the CFA.
private func rule(
    _ kind: cfic_cfa_kind = CFIC_CFA_REGISTER, flags: Int32 = 0, cfa: UInt8 = UInt8(Unwinder.sp), _ offset: Int32 = 16,
    fp: UInt8 = value(CFIC_VALUE_SAME), fpOffset: Int16 = 0, ra: UInt8 = value(CFIC_VALUE_AT_CFA), raOffset: Int16 = -8
) -> cfic_rule {
    cfic_rule(
        kind: UInt8(kind.rawValue) | UInt8(flags), cfa: cfa, fp: fp, ra: ra, cfa_offset: offset, fp_offset: fpOffset,
        ra_offset: raOffset)
}

private func op(_ op: cfic_operation, _ imm: Int32 = 0, reg: Int32 = 0) -> cfic_op {
    cfic_op(op: UInt8(op.rawValue), reg: UInt8(reg), reserved: 0, imm: imm)
}

@Suite struct StepTests {
    private var unwinder = Unwinder()

    /// A stack with a return address at SP + 8 and a saved frame pointer at SP.
    init() {
        unwinder.memory.words = [0x7ff0_0000: 0x7ff0_2000, 0x7ff0_0008: 0x402000]
    }

    // MARK: Callers

    @Test mutating func callerOfAFunctionThatSavedTheFramePointer() {
        #expect(unwinder.step(rule(fp: value(CFIC_VALUE_AT_CFA), fpOffset: -16)) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.machine.pc == 0x402000)
        #expect(unwinder[Unwinder.sp] == 0x7ff0_0010)
        #expect(unwinder[Unwinder.fp] == 0x7ff0_2000)
        // The call may be the caller's last instruction. The caller's other registers are unknown.
        #expect(cfic_lookup_pc(&unwinder.frame) == 0x401fff)
        #expect(unwinder.frame.flags == 0)
    }

    @Test mutating func innermostFrameIsLookedUpAtItsPC() {
        #expect(cfic_lookup_pc(&unwinder.frame) == 0x401000)
    }

    @Test mutating func cfaReadFromMemory() {
        unwinder.memory.words[0x7ff0_1008] = 0x7ff0_0000
        #expect(unwinder.step(rule(CFIC_CFA_DEREF, cfa: UInt8(Unwinder.fp) | 2 << 5, 8)) == CFIC_STEP_CALLER)
        #expect(unwinder[Unwinder.sp] == 0x7ff0_0010)
    }

    @Test mutating func stackPointerBelowTheCFA() {
        // As in longjmp: the caller's SP, then the CFA.
        unwinder.operations = [
            op(CFIC_OP_REGISTER, 0x100, reg: 7), op(CFIC_OP_REGISTER, 0x10, reg: 7), op(CFIC_OP_END),
        ]
        let found = unwinder.step(rule(CFIC_CFA_EXPRESSION, flags: CFIC_RULE_SP_ON_STACK, cfa: 0, 0))
        #expect(found == CFIC_STEP_CALLER)
        #expect(unwinder[Unwinder.sp] == 0x7ff0_0100)
        #expect(unwinder.frame.machine.pc == 0x402000)
    }

    @Test mutating func interruptedFrameIsLookedUpAtItsPC() {
        #expect(unwinder.step(rule(flags: CFIC_RULE_SIGNAL)) == CFIC_STEP_CALLER)
        #expect(unwinder.has(CFIC_FRAME_EXACT_PC))
        #expect(!unwinder.has(CFIC_FRAME_ALL_REGISTERS))
        #expect(cfic_lookup_pc(&unwinder.frame) == 0x402000)
    }

    /// struct sigcontext_64 in struct ucontext at rsp: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
    @Test mutating func interruptedFrameHasAllRegistersOfTheKernelsFrame() {
        for index in 0..<17 { unwinder.memory.words[0x7ff0_0000 + 40 + 8 * UInt64(index)] = 0x1000 + 8 * UInt64(index) }
        var incomplete = unwinder
        let restorer = rule(
            CFIC_CFA_DEREF, flags: CFIC_RULE_SIGNAL, 160, fp: value(CFIC_VALUE_AT_REGISTER, 7), fpOffset: 120,
            ra: value(CFIC_VALUE_AT_REGISTER, 7), raOffset: 168)
        #expect(unwinder.step(restorer) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.flags == UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_INTERRUPTED))
        // By DWARF number: rax rdx rcx rbx rsi rdi rbp rsp r8 ...
        #expect((0..<16).map { (unwinder[$0] - 0x1000) / 8 } == [13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7])
        #expect(unwinder.frame.machine.pc == 0x1080)
        // A rule that reads one of these registers can be used now.
        unwinder.memory.words[0x1000 + 8 * 11] = 0x402000
        #expect(unwinder.step(rule(flags: CFIC_RULE_LIVE_REGISTERS, cfa: 3, 8)) == CFIC_STEP_CALLER)

        // If part of the kernel's frame can't be read, the caller is found without its other registers.
        incomplete.memory.words[0x7ff0_0000 + 40] = nil
        #expect(incomplete.step(restorer) == CFIC_STEP_CALLER)
        #expect(incomplete.frame.flags == UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_INTERRUPTED))
        #expect(incomplete[7] == 0x1000 + 8 * 15 && incomplete[6] == 0x1000 + 8 * 10)
    }

    /// struct sigcontext after siginfo and the beginning of struct ucontext: x0 to x30, sp, pc.
    @Test mutating func interruptedFrameHasAllRegistersOfTheKernelsFrameOfAArch64() {
        unwinder.machine = .aarch64
        unwinder[31] = 0x7ff0_0000
        for index in 0..<33 { unwinder.memory.words[0x7ff0_0000 + 312 + 8 * UInt64(index)] = 0x1000 + UInt64(index) }
        let restorer = rule(
            CFIC_CFA_DEREF, flags: CFIC_RULE_SIGNAL, cfa: 31, 560, fp: value(CFIC_VALUE_AT_REGISTER, 31), fpOffset: 544,
            ra: value(CFIC_VALUE_AT_REGISTER, 31), raOffset: 568)
        #expect(unwinder.step(restorer) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.flags == UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_INTERRUPTED))
        #expect((0..<32).map { unwinder[$0] } == (0..<32).map { 0x1000 + $0 })
        #expect(unwinder.frame.machine.pc == 0x1020)
    }

    @Test mutating func signalFramesThatAreNotTheKernelsGiveNoOtherRegisters() {
        unwinder.memory.isSparse = false
        let other = rule(
            CFIC_CFA_DEREF, flags: CFIC_RULE_SIGNAL, 160, fp: value(CFIC_VALUE_AT_REGISTER, 7), fpOffset: 128,
            ra: value(CFIC_VALUE_AT_REGISTER, 7), raOffset: 168)
        #expect(unwinder.step(other) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.flags == UInt32(CFIC_FRAME_EXACT_PC | CFIC_FRAME_INTERRUPTED))
    }

    /// As that of the vDSO's signal trampoline on aarch64.
    @Test mutating func inferredSignalFramesRuleGivesAllRegistersToo() {
        unwinder.memory.isSparse = false
        let restorer = rule(
            CFIC_CFA_DEREF, flags: CFIC_RULE_SIGNAL | CFIC_RULE_INFERRED, 160, fp: value(CFIC_VALUE_AT_REGISTER, 7),
            fpOffset: 120, ra: value(CFIC_VALUE_AT_REGISTER, 7), raOffset: 168)
        #expect(unwinder.step(restorer) == CFIC_STEP_CALLER)
        #expect(unwinder.has(CFIC_FRAME_ALL_REGISTERS))
        #expect(unwinder.has(CFIC_FRAME_INFERRED))
    }

    @Test mutating func returnAddressInARegister() {
        unwinder[5] = 0x403000
        let vfork = rule(flags: CFIC_RULE_LIVE_REGISTERS, 0, ra: value(CFIC_VALUE_REGISTER, 5), raOffset: 0)
        #expect(unwinder.step(vfork) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.machine.pc == 0x403000)
    }

    @Test mutating func authenticationCodesAreStrippedWhereTheRuleSaysSo() {
        unwinder.machine = .aarch64
        unwinder.frame.address_bits = 0xffff_ffff_ffff
        unwinder[31] = 0x7ff0_0000
        unwinder.memory.words[0x7ff0_0008] = 0x00a5_0000_0040_2000
        var signed = unwinder
        #expect(signed.step(rule(flags: CFIC_RULE_RA_SIGNED, cfa: 31)) == CFIC_STEP_CALLER)
        #expect(signed.frame.machine.pc == 0x402000)
        #expect(unwinder.step(rule(cfa: 31)) == CFIC_STEP_CALLER)
        #expect(unwinder.frame.machine.pc == 0x00a5_0000_0040_2000)
    }

    // MARK: Ends

    @Test mutating func outermostFrames() {
        #expect(unwinder.step(rule(CFIC_CFA_END, cfa: 0, 0, ra: 0, raOffset: 0)) == CFIC_STEP_END_OF_STACK)
        unwinder.memory.words[0x7ff0_0008] = 0
        #expect(unwinder.step(rule()) == CFIC_STEP_ZERO_RETURN_ADDRESS)
    }

    @Test mutating func reasonInsteadOfARule() {
        #expect(unwinder.step(rule(CFIC_CFA_NONE, cfa: 0, 3, ra: 0, raOffset: 0)) == CFIC_STEP_NO_RULE)
    }

    @Test mutating func otherRegistersAreKnownInTheInnermostFrameOnly() {
        let live = rule(flags: CFIC_RULE_LIVE_REGISTERS, cfa: 3)
        #expect(unwinder.step(rule()) == CFIC_STEP_CALLER)
        #expect(unwinder.step(live) == CFIC_STEP_NO_REGISTERS)
    }

    @Test mutating func framePointerThatTheCalleeDidNotKeep() {
        #expect(unwinder.step(rule(fp: value(CFIC_VALUE_UNDEFINED))) == CFIC_STEP_CALLER)
        #expect(unwinder.has(CFIC_FRAME_NO_FRAME_POINTER))
        unwinder.operations = [op(CFIC_OP_CONST, 8), op(CFIC_OP_REGISTER, 0, reg: 6), op(CFIC_OP_END), op(CFIC_OP_END)]
        let readers = [
            rule(cfa: 6), rule(CFIC_CFA_DEREF, cfa: 6), rule(CFIC_CFA_EXPRESSION, cfa: 0, 0),
            rule(fp: value(CFIC_VALUE_AT_REGISTER, 6)), rule(ra: value(CFIC_VALUE_REGISTER, 6)),
            rule(fp: value(CFIC_VALUE_EXPRESSION), fpOffset: 1), rule(ra: value(CFIC_VALUE_AT_EXPRESSION), raOffset: 0),
        ]
        for reader in readers { #expect(unwinder.step(reader) == CFIC_STEP_NO_FRAME_POINTER) }
        // It stays unknown while no function changes it, and is known again in the caller of a function that saved it.
        unwinder.memory.words = [0x7ff0_0018: 0x403000, 0x7ff0_0028: 0x404000, 0x7ff0_0020: 0x7ff0_3000]
        #expect(unwinder.step(rule()) == CFIC_STEP_CALLER)
        #expect(unwinder.has(CFIC_FRAME_NO_FRAME_POINTER))
        #expect(unwinder.step(rule(fp: value(CFIC_VALUE_AT_CFA), fpOffset: -16)) == CFIC_STEP_CALLER)
        #expect(!unwinder.has(CFIC_FRAME_NO_FRAME_POINTER))
        #expect(unwinder[Unwinder.fp] == 0x7ff0_3000)
    }

    @Test mutating func unreadableMemoryAndDivisionByZeroLeaveTheFrame() {
        unwinder.operations = [
            op(CFIC_OP_CONST, 1), op(CFIC_OP_LOAD, 0, reg: 8), op(CFIC_OP_END),
            op(CFIC_OP_CONST, 1), op(CFIC_OP_CONST, 0), op(CFIC_OP_DIV), op(CFIC_OP_END),
            op(CFIC_OP_CONST, 1), op(CFIC_OP_MOD, 0, reg: CFIC_OPERAND_IMMEDIATE), op(CFIC_OP_END),
        ]
        let ends: [(cfic_rule, cfic_step)] = [
            (rule(CFIC_CFA_DEREF, cfa: 7, 0x100), CFIC_STEP_UNREADABLE_CFA),
            (rule(CFIC_CFA_EXPRESSION, cfa: 0, 0), CFIC_STEP_UNREADABLE_CFA),
            (rule(CFIC_CFA_REGISTER, 64), CFIC_STEP_UNREADABLE_RETURN_ADDRESS),
            (rule(fp: value(CFIC_VALUE_AT_CFA), fpOffset: 64), CFIC_STEP_UNREADABLE_FRAME_POINTER),
            (rule(CFIC_CFA_EXPRESSION, cfa: 0, 3), CFIC_STEP_DIVISION_BY_ZERO),
            (rule(fp: value(CFIC_VALUE_EXPRESSION), fpOffset: 7), CFIC_STEP_DIVISION_BY_ZERO),
        ]
        for (rule, end) in ends {
            #expect(unwinder.step(rule) == end)
            #expect(unwinder.frame.machine.pc == 0x401000)
            #expect(unwinder[Unwinder.sp] == 0x7ff0_0000)
            #expect(unwinder[Unwinder.fp] == 0x7ff0_1000)
            #expect(unwinder.has(CFIC_FRAME_ALL_REGISTERS))
        }
    }

    @Test mutating func aStackThatLoopsEnds() {
        unwinder.memory.words[0x7ff0_0008] = 0x401000
        // The caller's stack pointer is the callee's.
        #expect(unwinder.step(rule(CFIC_CFA_REGISTER, 0, raOffset: 8)) == CFIC_STEP_NO_PROGRESS)
        // Recursion has the same pc further up.
        #expect(unwinder.step(rule()) == CFIC_STEP_CALLER)
    }

    @Test func everyEndHasItsNameAndText() {
        for step in 0..<CFIC_STEP_COUNT.rawValue {
            #expect(cfic_step_name(step) != nil)
            #expect(cfic_step_text(step) != nil)
        }
        #expect(cfic_step_name(CFIC_STEP_COUNT.rawValue) == nil)
        #expect(cfic_step_text(CFIC_STEP_COUNT.rawValue) == nil)
    }
}
