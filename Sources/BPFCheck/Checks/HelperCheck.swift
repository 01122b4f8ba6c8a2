/// Checks that helpers exist, and that this kernel has them and allows them for the program and its licence.
extension ObjectCheck {
    mutating func checkHelper(_ helperNumber: Int32, _ function: Int, _ slot: Int) {
        guard let helper = Helper.entry(helperNumber) else {
            return report(
                .helper, in: function, at: slot, "calls helper \(helperNumber), a number that no known kernel has",
                refusal: helperNumber == 0 ? "bpf_unspec#0" : "invalid func unknown#\(helperNumber)",
                remedy:
                    "helpers are numbered 1 to \(Helper.entries.count); newer functions are kernel functions (__ksym)")
        }
        let what = "calls bpf_\(helper.name)(), helper \(helperNumber)"
        guard target.has(helper) else {
            return report(
                .helper, in: function, at: slot, what, refusal: "invalid func unknown#\(helperNumber)",
                since: helper.since,
                remedy: "check first: if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_\(helper.name)))")
        }
        checkAccess(helper, Int(helperNumber), what, function, slot)
        if Helper.needsGPL(helper.name), !object.isGPLCompatible {
            report(
                .licence, in: function, at: slot,
                "\(what), which only GPL-compatible programs may call; "
                    + licenceText, refusal: "cannot call GPL-restricted function from non-GPL compatible program",
                remedy: "char LICENSE[] SEC(\"license\") = \"GPL\" or \"Dual BSD/GPL\", if the licence permits")
        }
    }

    /// Worded as a part of a sentence.
    var licenceText: String {
        object.licence.isEmpty ? "the object has no licence" : "the object's licence is \"\(object.licence)\""
    }

    private mutating func checkAccess(
        _ helper: Helper.Entry, _ helperNumber: Int, _ what: String, _ function: Int, _ slot: Int
    ) {
        // A helper that a vendor backported may be allowed for other programs than in the original release.
        guard helper.since <= kernel else { return }
        var kinds: Set<String> = []
        for program in loaders[function] ?? [] {
            guard let kind = object.functions[program].kind, kinds.insert(kind.section).inserted,
                let limit = HelperAccess.limit(helperNumber, kind: kind.helpers), kernel <= limit.lastRefusal
            else { continue }
            let later = limit.allowed.map { "; Linux \($0) allows it" } ?? ""
            report(
                .helperAccess, in: function, at: slot,
                "\(what), which programs for \(kind.section) may not call\(later)",
                refusal: refusal(of: helper, helperNumber), program: program,
                remedy: later.isEmpty
                    ? "another helper, or a program of another type" : "another helper on this kernel")
        }
    }

    /// The message of the kernel, known for the releases that were measured.
    private func refusal(of helper: Helper.Entry, _ helperNumber: Int) -> String? {
        if helper.name == "get_func_ip" { return "func bpf_get_func_ip#\(helperNumber) not supported for" }
        if kernel <= KernelVersion(6, 1) { return "unknown func bpf_\(helper.name)#\(helperNumber)" }
        guard kernel >= KernelVersion(6, 12) else { return nil }
        return "program of this type cannot use helper bpf_\(helper.name)#\(helperNumber)"
    }
}
