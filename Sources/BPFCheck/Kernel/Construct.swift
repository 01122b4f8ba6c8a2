/// Instructions that are newer than 5.0, and the messages with which older kernels refuse them.
struct Construct: Equatable {
    let name: String
    let since: KernelVersion
    /// The verifier's message in older kernels, or the beginning of it.
    let refusal: String
    /// Whether it is refused even in unreachable code, because the verifier's first pass covers all instructions.
    let isRefusedInDeadCode: Bool
    let remedy: String
    /// Machines on which the kernel supports it later.
    var byMachine: [TargetMachine: Later] = [:]
    /// A release before `since` whose stable updates support it.
    var update: KernelVersion?

    struct Later: Equatable {
        let since: KernelVersion
        let refusal: String
        /// As ``Finding/condition``.
        var condition: String?
    }

    private static let version4 = "compile with -mcpu=v3"
    private static let atomicRemedy =
        "add with __atomic_fetch_add(..., __ATOMIC_RELAXED) and don't use the result, or compile with -mcpu=v2: with v3 "
        + "newer clangs emit a fetching instruction for __sync_fetch_and_add() even if the result is unused"

    static let shortJump = Construct(
        name: "a 32-bit comparison (jmp32)", since: KernelVersion(5, 1), refusal: "unknown opcode",
        isRefusedInDeadCode: true, remedy: "compile with -mcpu=v2")
    static let fetchingAtomic = Construct(
        name: "an atomic instruction other than an addition whose result is unused", since: KernelVersion(5, 12),
        refusal: "BPF_STX uses reserved fields", isRefusedInDeadCode: true, remedy: atomicRemedy,
        byMachine: [
            .aarch64: Later(
                since: KernelVersion(5, 18), refusal: "eBPF atomic op code",
                condition: "the kernel can't interpret programs (CONFIG_BPF_JIT_ALWAYS_ON)")
        ])
    static let acquireOrRelease = Construct(
        name: "a load-acquire or store-release instruction", since: KernelVersion(6, 15),
        refusal: "BPF_ATOMIC uses invalid atomic opcode", isRefusedInDeadCode: false, remedy: version4)
    static let extendingLoad = Construct(
        name: "a sign-extending load (-mcpu=v4)", since: KernelVersion(6, 6),
        refusal: "BPF_LDX uses reserved fields", isRefusedInDeadCode: true, remedy: version4)
    static let extendingMove = Construct(
        name: "a sign-extending move (-mcpu=v4)", since: KernelVersion(6, 6),
        refusal: "BPF_MOV uses reserved fields", isRefusedInDeadCode: false, remedy: version4)
    static let signedDivision = Construct(
        name: "a signed division (-mcpu=v4)", since: KernelVersion(6, 6), refusal: "BPF_ALU uses reserved fields",
        isRefusedInDeadCode: false, remedy: "divide unsigned numbers, and compile with -mcpu=v3")
    static let byteSwap = Construct(
        name: "an unconditional byte swap (-mcpu=v4)", since: KernelVersion(6, 6), refusal: "unknown opcode d7",
        isRefusedInDeadCode: true, remedy: version4)
    static let longJump = Construct(
        name: "a 32-bit jump (gotol, -mcpu=v4)", since: KernelVersion(6, 6), refusal: "unknown opcode 06",
        isRefusedInDeadCode: true, remedy: "\(version4), and make the function shorter", update: KernelVersion(6, 1))
    static let mayGoto = Construct(
        name: "may_goto", since: KernelVersion(6, 9), refusal: "unknown opcode e5", isRefusedInDeadCode: true,
        remedy: "give the loop a bound that the verifier can see, instead of can_loop or cond_break")
    static let addressSpaceCast = Construct(
        name: "a cast between address spaces", since: KernelVersion(6, 9), refusal: "BPF_MOV uses reserved fields",
        isRefusedInDeadCode: false, remedy: "use a map instead of an arena",
        byMachine: [.aarch64: Later(since: KernelVersion(6, 10), refusal: "JIT doesn't support bpf_addr_space_cast")])
    static let indirectJump = Construct(
        name: "an indirect jump (gotox)", since: KernelVersion(6, 19), refusal: "unknown opcode 0d",
        isRefusedInDeadCode: true, remedy: "compile with -fno-jump-tables")
    static let callback = Construct(
        name: "a function's address, for a callback", since: KernelVersion(5, 13),
        refusal: "number of funcs in func_info doesn't match number of subprogs", isRefusedInDeadCode: true,
        remedy: "unroll the loop, or load another program on this kernel")
    static let kernelVariable = Construct(
        name: "a typed kernel variable (__ksym)", since: KernelVersion(5, 10),
        refusal: "unrecognized bpf_ld_imm64 insn", isRefusedInDeadCode: true,
        remedy: "find the value in another way, or load another program on this kernel")

    /// Decides by the instruction alone.
    init?(_ instruction: Instruction) {
        switch instruction.kind {
        case .memoryStore where instruction.mode == .atomic:
            if instruction.immediate == 0 { return nil }
            self = instruction.immediate & 0x100 != 0 ? .acquireOrRelease : .fetchingAtomic
        case .memoryLoad where instruction.mode == .signExtending: self = .extendingLoad
        case .arithmetic(let operation, _):
            switch (operation, instruction.offset) {
            case (.move, 8), (.move, 16), (.move, 32): self = .extendingMove
            case (.move, 1): self = .addressSpaceCast
            case (.divide, 1), (.modulo, 1): self = .signedDivision
            case (.endianness, _) where instruction.is64Bit: self = .byteSwap
            default: return nil
            }
        case .jump(let condition):
            switch (condition, instruction.is64Bit) {
            case (.always, false): self = .longJump
            case (.always, true) where instruction.usesRegister: self = .indirectJump
            case (.mayGoto, true): self = .mayGoto
            case (.always, true), (.mayGoto, false): return nil
            default:
                if instruction.is64Bit { return nil }
                self = .shortJump
            }
        default: return nil
        }
    }

    /// The same construct, but refused with another one's message.
    func refused(as other: Construct) -> Construct {
        Construct(
            name: name, since: since, refusal: other.refusal, isRefusedInDeadCode: other.isRefusedInDeadCode,
            remedy: remedy, byMachine: byMachine, update: update)
    }

    private init(
        name: String, since: KernelVersion, refusal: String, isRefusedInDeadCode: Bool, remedy: String,
        byMachine: [TargetMachine: Later] = [:], update: KernelVersion? = nil
    ) {
        self.update = update
        self.byMachine = byMachine
        self.name = name
        self.since = since
        self.refusal = refusal
        self.isRefusedInDeadCode = isRefusedInDeadCode
        self.remedy = remedy
    }
}
