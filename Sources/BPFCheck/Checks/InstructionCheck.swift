/// Instructions, helpers, kernel functions and calls that lead nowhere.
extension ObjectCheck {
    /// - Parameter isVerified: whether the verifier gets to the function; its first pass goes over all of them.
    mutating func checkInstructions(of number: Int, isVerified: Bool) {
        let function = object.functions[number]
        guard let walk = walks[number] else { return }
        for slot in function.firstSlots {
            let instruction = function.instructions[slot]
            let isReached = isVerified && walk.isReached[slot]
            if var construct = Construct(instruction) {
                // Kernels without fetching atomics see nothing else in the later ones.
                if construct == .acquireOrRelease, kernel < Construct.fetchingAtomic.since {
                    construct = construct.refused(as: .fetchingAtomic)
                }
                check(construct, number, slot, isReached: isReached)
            }
            switch function.references[slot] {
            case .callback: check(.callback, number, slot, isReached: isReached)
            case .kernelVariable(_, isTyped: true): check(.kernelVariable, number, slot, isReached: isReached)
            case .kernelFunction(let name, let isWeak):
                checkKernelFunction(name, number, slot, isReached: isReached, isWeak: isWeak)
            case .nowhere(let what):
                report(
                    .unresolvedCall, in: number, at: slot, "calls \(what)",
                    remedy: "link the objects (bpftool gen object), or declare kernel functions as extern … __ksym")
            default:
                guard instruction.kind == .call, instruction.source == 0, isReached else { continue }
                checkHelper(instruction, number, slot)
            }
        }
    }

    private mutating func check(_ construct: Construct, _ function: Int, _ slot: Int, isReached: Bool) {
        guard kernel < construct.since, isReached || construct.isRefusedInDeadCode else { return }
        report(
            construct == .callback ? .callback : .instruction, in: function, at: slot, construct.name,
            refusal: construct.refusal, since: construct.since, remedy: construct.remedy)
    }

    private mutating func checkHelper(_ instruction: Instruction, _ function: Int, _ slot: Int) {
        guard instruction.opcode == 0x85 else { return }
        guard let helper = Helper.entry(instruction.immediate), kernel < helper.since else { return }
        report(
            .helper, in: function, at: slot, "calls bpf_\(helper.name)(), helper \(instruction.immediate)",
            refusal: "invalid func unknown#\(instruction.immediate)", since: helper.since,
            remedy: "ask first: if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_\(helper.name)))")
    }

    private mutating func checkKernelFunction(
        _ name: String, _ function: Int, _ slot: Int, isReached: Bool, isWeak: Bool
    ) {
        let since = Answers.kernelFunctions
        // libbpf refuses objects with functions that the kernel doesn't have, unless they are weak.
        guard kernel < since, !isWeak || isReached else { return }
        // To ask whether a weak one is there is what one should do.
        if isWeak, object.functions[function].instructions[slot].kind == .wideConstant { return }
        report(
            .kernelFunction, in: function, at: slot, "calls \(name)(), a function of the kernel",
            refusal: isWeak ? "BPF_CALL uses reserved fields" : "extern (func ksym) '\(name)': not found", since: since,
            remedy: "declare it __weak, and ask first: if (bpf_ksym_exists(\(name)))")
    }
}
