/// Functions and variables of the kernel that programs use by name (`__ksym`).
extension ObjectCheck {
    mutating func checkKernelFunction(
        _ name: String, _ function: Int, _ slot: Int, isReached: Bool, isWeak: Bool
    ) {
        // libbpf refuses objects with functions that the kernel doesn't have, unless they are weak.
        guard !isWeak || isReached else { return }
        // To ask whether a weak one is there is what one should do.
        if isWeak, object.functions[function].instructions[slot].kind == .wideConstant { return }
        let what = "calls \(name)(), a function of the kernel"
        let remedy = "declare it __weak, and ask first: if (bpf_ksym_exists(\(name)))"
        let refusal =
            if !isWeak { "extern (func ksym) '\(name)': not found" }
            else if kernel < KernelVersion(5, 13) { "BPF_CALL uses reserved fields" }
            else { "invalid kernel function call not eliminated" }
        func report(
            _ problem: String, since: KernelVersion?, machines: [TargetMachine]? = nil, refusal: String? = refusal,
            condition: String? = nil
        ) {
            self.report(
                .kernelFunction, in: function, at: slot, problem, refusal: refusal, since: since, machines: machines,
                condition: condition, isAnywhere: !isWeak, remedy: remedy)
        }
        if let types = target.btf {
            if !types.hasFunction(name) {
                return report(
                    "\(what) that isn't in its types", since: KernelFunction.entry(name).flatMap { entry in
                        kernel < entry.since ? entry.since : nil
                    }, condition: KernelFunction.mayBeOfModule(name) ? unlessModule(types) : nil)
            }
            switch types.isCallable(name) {
            case false?:
                return report(
                    "\(what) that programs can't call", since: nil,
                    refusal: "calling kernel function \(name) is not allowed")
            case nil where KernelFunction.entry(name) == nil && kernel >= KernelVersion(5, 13)
                && !types.types(named: name, .function).isEmpty:
                return report(
                    "\(what) that programs may not be allowed to call: its types don't say so, as before Linux 6.10",
                    since: nil, refusal: "calling kernel function \(name) is not allowed",
                    condition: "programs can't call \(name)()")
            default: break
            }
            if prototypeDiffers(name, types) {
                return report(
                    "\(what) that is declared with other types than the kernel's", since: nil,
                    refusal: "extern (func ksym) '\(name)': func_proto")
            }
        } else if let entry = KernelFunction.entry(name) {
            if kernel < entry.since { return report(what, since: entry.since) }
            if let until = entry.until, kernel >= until {
                return report("\(what) that is gone since Linux \(until)", since: nil)
            }
        } else if let first = KernelFunction.calls.values.min(), kernel < first {
            return report(what, since: nil)
        } else {
            return report(
                "\(what); which releases have it is not known here", since: nil, refusal: nil,
                condition: "Linux \(kernel) doesn't have it (--btf with the kernel's types tells)")
        }
        let byMachine = name == "bpf_throw" ? KernelFunction.exceptions : KernelFunction.calls
        for machine in machines {
            guard let since = byMachine[machine], kernel < since else { continue }
            report(what, since: since, machines: [machine], refusal: "JIT does not support calling kernel function")
        }
        if !object.isGPLCompatible {
            self.report(
                .licence, in: function, at: slot, "\(what), which only programs with a GPL-compatible licence may; "
                    + licenceText, refusal: "cannot call kernel function from non-GPL compatible program",
                remedy: "char LICENSE[] SEC(\"license\") = \"GPL\" or \"Dual BSD/GPL\", if that is yours to say")
        }
    }

    /// What must hold for something to be missing that modules may have.
    func unlessModule(_ types: KernelBTF) -> String? {
        types.knowsModules ? nil : "no module of the kernel has it"
    }

    /// Whether libbpf would find that the object's declaration doesn't fit the kernel's function.
    private func prototypeDiffers(_ name: String, _ types: KernelBTF) -> Bool {
        guard let btf = object.btf, let own = object.kernelFunctionTypes[name],
              let prototype = try? btf.reference(of: own)
        else { return false }
        let resolution = CoreResolution(local: btf, kernel: types)
        let candidates = types.types(named: name, .function)
        return !candidates.isEmpty && !candidates.contains { other in
            (try? types.types.reference(of: other)).map { resolution.fits(prototype, $0, 0) } ?? false
        }
    }

    mutating func checkKernelVariable(_ name: String, _ function: Int, _ slot: Int) {
        guard let types = target.btf, !types.has(name, .variable) else { return }
        report(
            .kernelVariable, in: function, at: slot, "uses \(name), a variable of the kernel that isn't in its types",
            refusal: "extern (var ksym) '\(name)': not found in kernel BTF",
            condition: (unlessModule(types).map { "\($0), and " } ?? "") + "it isn't declared __weak", isAnywhere: true,
            remedy: "declare it __weak, and ask first: if (&\(name))")
    }
}
