/// Checks functions and variables of the kernel that programs use by name (`__ksym`).
extension ObjectCheck {
    mutating func checkKernelFunction(
        _ name: String, _ function: Int, _ slot: Int, isReached: Bool, isWeak: Bool
    ) {
        // Unless it is weak, libbpf rejects the object for a function that the kernel doesn't have.
        guard !isWeak || isReached else { return }
        // Checking whether a weak function exists is correct.
        if isWeak, object.functions[function].instructions[slot].kind == .wideConstant { return }
        let what = "calls \(name)(), a kernel function"
        let remedy = "declare it __weak, and check first: if (bpf_ksym_exists(\(name)))"
        if let absence = absence(of: name, isWeak: isWeak) {
            return report(
                .kernelFunction, in: function, at: slot, what + absence.problem, refusal: absence.refusal,
                since: absence.since, condition: absence.condition, isAnywhere: !isWeak, remedy: remedy)
        }
        let byMachine = name == "bpf_throw" ? KernelFunction.exceptions : KernelFunction.calls
        for machine in machines {
            guard let since = byMachine[machine], kernel < since else { continue }
            report(
                .kernelFunction, in: function, at: slot, what, refusal: "JIT does not support calling kernel function",
                since: since, machines: [machine], isAnywhere: !isWeak, remedy: remedy)
        }
        if !object.isGPLCompatible {
            report(
                .licence, in: function, at: slot,
                "\(what), which only GPL-compatible programs may call; "
                    + licenceText, refusal: "cannot call kernel function from non-GPL compatible program",
                remedy: "char LICENSE[] SEC(\"license\") = \"GPL\" or \"Dual BSD/GPL\", if the licence permits")
        }
    }

    /// Why programs can't call a function on this kernel, on any machine.
    private struct Absence {
        /// Worded to follow "calls NAME(), a kernel function".
        var problem = ""
        var since: KernelVersion?
        var refusal: String?
        var condition: String?
    }

    /// Nil if it can be called, as far as is known.
    private func absence(of name: String, isWeak: Bool) -> Absence? {
        let refusal =
            if !isWeak { "extern (func ksym) '\(name)': not found" } else if kernel < KernelVersion(5, 13) {
                "BPF_CALL uses reserved fields"
            } else { "invalid kernel function call not eliminated" }
        let entry = KernelFunction.entry(name)
        if let types = target.btf {
            guard types.hasFunction(name) else {
                return Absence(
                    problem: " that isn't in the kernel's types",
                    since: entry.flatMap { kernel < $0.since ? $0.since : nil },
                    refusal: refusal, condition: KernelFunction.mayBeOfModule(name) ? unlessModule(types) : nil)
            }
            return refused(name, types)
        }
        if let entry {
            if kernel < entry.since { return Absence(since: entry.since, refusal: refusal) }
            guard let until = entry.until, kernel >= until else { return nil }
            return Absence(problem: " that Linux \(until) removed", refusal: refusal)
        }
        if let first = KernelFunction.calls.values.min(), kernel < first { return Absence(refusal: refusal) }
        return Absence(
            problem: "; it is not known which releases have it",
            condition: "Linux \(kernel) doesn't have it (--btf with the kernel's types can tell)")
    }

    /// Why programs can't call a function that the kernel has; nil if they can.
    private func refused(_ name: String, _ types: KernelBTF) -> Absence? {
        let refusal = "calling kernel function \(name) is not allowed"
        switch types.isCallable(name) {
        case false?: return Absence(problem: " that programs can't call", refusal: refusal)
        case nil
        where KernelFunction.entry(name) == nil && kernel >= KernelVersion(5, 13)
            && !types.types(named: name, .function).isEmpty:
            return Absence(
                problem: " that programs may not be allowed to call: types before Linux 6.10 don't record it",
                refusal: refusal, condition: "programs can't call \(name)()")
        default: break
        }
        guard prototypeDiffers(name, types) else { return nil }
        return Absence(
            problem: " that is declared with types other than the kernel's",
            refusal: "extern (func ksym) '\(name)': func_proto")
    }

    /// The condition for something to be missing that a module may have; nil if the modules' types are known.
    func unlessModule(_ types: KernelBTF) -> String? {
        types.knowsModules ? nil : "no module of the kernel has it"
    }

    /// Whether libbpf would find the object's declaration incompatible with the kernel's function.
    private func prototypeDiffers(_ name: String, _ types: KernelBTF) -> Bool {
        guard let btf = object.btf, let own = object.kernelFunctionTypes[name],
            let prototype = try? btf.reference(of: own)
        else { return false }
        let resolution = CoreResolution(local: btf, kernel: types)
        let candidates = types.types(named: name, .function)
        return !candidates.isEmpty
            && !candidates.contains { other in
                (try? types.types.reference(of: other)).map { resolution.fits(prototype, $0, 0) } ?? false
            }
    }

    /// Checks a variable that has a type and isn't weak.
    mutating func checkKernelVariable(_ name: String, _ function: Int, _ slot: Int) {
        guard let types = target.btf, !types.has(name, .variable) else { return }
        report(
            .kernelVariable, in: function, at: slot, "uses \(name), a kernel variable that isn't in the kernel's types",
            refusal: "extern (var ksym) '\(name)': not found in kernel BTF",
            condition: unlessModule(types), isAnywhere: true,
            remedy: "declare it __weak, and check first: if (&\(name))")
    }
}
