/// Checks instructions, and calls without a target.
extension ObjectCheck {
    /// - Parameter isVerified: whether the verifier reaches the function; its first pass covers all functions.
    mutating func checkInstructions(of number: Int, isVerified: Bool) {
        let function = object.functions[number]
        guard let walk = walks[number] else { return }
        for slot in function.firstSlots {
            let instruction = function.instructions[slot]
            let isReached = isVerified && walk.isReached[slot]
            if var construct = Construct(instruction) {
                // To kernels without fetching atomics, the later ones look the same.
                if construct == .acquireOrRelease, kernel < Construct.fetchingAtomic.since {
                    construct = construct.refused(as: .fetchingAtomic)
                }
                check(construct, number, slot, isReached: isReached)
            }
            if isReached, let relocation = function.coreRelocations[slot] { checkRelocation(relocation, number, slot) }
            switch function.references[slot] {
            case .callback: check(.callback, number, slot, isReached: isReached)
            case .kernelVariable(let name, isTyped: true, let isWeak):
                check(.kernelVariable, number, slot, isReached: isReached)
                if !isWeak { checkKernelVariable(name, number, slot) }
            case .kernelFunction(let name, let isWeak):
                checkKernelFunction(name, number, slot, isReached: isReached, isWeak: isWeak)
            case .nowhere(let what):
                report(
                    .unresolvedCall, in: number, at: slot, "calls \(what)", isAnywhere: true,
                    remedy: "link the objects (bpftool gen object), or declare kernel functions as extern ... __ksym")
            default:
                guard instruction.opcode == 0x85, instruction.source == 0, isReached else { continue }
                checkHelper(instruction.immediate, number, slot)
            }
        }
    }

    private mutating func check(_ construct: Construct, _ function: Int, _ slot: Int, isReached: Bool) {
        guard isReached || construct.isRefusedInDeadCode else { return }
        if kernel < construct.since {
            report(
                construct == .callback ? .callback : .instruction, in: function, at: slot, construct.name,
                refusal: construct.refusal, since: construct.since,
                condition: construct.update == kernel
                    ? "the kernel is an early update of Linux \(kernel), or of aarch64 and can't interpret programs"
                    : nil,
                isAnywhere: construct.isRefusedInDeadCode, remedy: construct.remedy)
            return
        }
        for machine in machines {
            guard let later = construct.byMachine[machine], kernel < later.since else { continue }
            report(
                .instruction, in: function, at: slot, construct.name, refusal: later.refusal, since: later.since,
                machines: [machine], condition: later.condition, isAnywhere: construct.isRefusedInDeadCode,
                remedy: construct.remedy)
        }
    }

    /// libbpf inserts a call of helper 195896080 where the kernel lacks what a relocation needs.
    private mutating func checkRelocation(
        _ relocation: BTFExtension.CoreRelocation, _ function: Int, _ slot: Int
    ) {
        guard !relocation.kind.isQuestion, let btf = object.btf, target.btf != nil,
            answers.isSatisfied(relocation) == false,
            let subject = CoreResolution.subject(relocation, btf)
        else { return }
        report(
            .relocation, in: function, at: slot, "requires \(subject), which the kernel lacks",
            refusal: "invalid func unknown#195896080",
            remedy: "check first: bpf_core_field_exists(), bpf_core_type_exists() or bpf_core_enum_value_exists()")
    }
}
