/// Checks kinds of programs, their attach targets, and tail calls in programs with functions.
extension ObjectCheck {
    /// aarch64 got BPF trampolines in 6.0, and attaching them to functions in 6.4.
    private static let trampolines: [TargetMachine: KernelVersion] = [.aarch64: KernelVersion(6, 4)]
    private static let structOps: [TargetMachine: KernelVersion] = [.aarch64: KernelVersion(6, 0)]
    /// aarch64 had no fprobe before.
    private static let manyProbes: [TargetMachine: KernelVersion] = [.aarch64: KernelVersion(6, 14)]
    private static let tailCallsBesideFunctions: [TargetMachine: KernelVersion] = [
        .x86_64: KernelVersion(5, 10), .aarch64: KernelVersion(6, 0),
    ]

    mutating func checkKind(_ program: LoadedProgram) {
        let function = object.functions[program.root]
        guard function.isProgram else { return }
        guard let kind = function.kind else {
            // Functions that are only in .text may be meant for linking.
            guard function.section != ".text" else { return }
            return report(
                .section, in: program.root,
                "section \(function.section), from which libbpf 1 can't infer the program type",
                refusal: "missing BPF prog type, check ELF section name "
                    + "'\(function.section)'", isAnywhere: true,
                remedy: "a section of libbpf's (SEC(\"xdp\"), SEC(\"kprobe/...\")), or bpf_program__set_type() in the "
                    + "loader")
        }
        let remedy = "bpf_program__set_autoload(program, false) on this kernel, and another program instead"
        if !target.has(kind) {
            report(
                .program, in: program.root, "a program for \(kind.section), which can't be loaded or attached",
                since: kind.isExact ? kind.since : nil, isAnywhere: true, remedy: remedy)
        } else if let byMachine = Self.releases(of: kind) {
            for machine in machines {
                guard let since = byMachine[machine], kernel < since else { continue }
                report(
                    .program, in: program.root, "a program for \(kind.section), which can't be attached", since: since,
                    machines: [machine], isAnywhere: true, remedy: remedy)
            }
        }
        if kind.family.needsGPL, !object.isGPLCompatible {
            report(
                .licence, in: program.root,
                "a program for \(kind.section), which needs a GPL-compatible licence; "
                    + licenceText, refusal: "must have a GPL compatible license", isAnywhere: true,
                remedy: "char LICENSE[] SEC(\"license\") = \"GPL\" or \"Dual BSD/GPL\", if the licence permits")
        }
        checkTarget(program.root, kind)
    }

    private static func releases(of kind: ProgramKind) -> [TargetMachine: KernelVersion]? {
        switch kind.family {
        case .trampoline: kind.section == "tp_btf" ? nil : trampolines
        case .securityModule: trampolines
        case .structOps: structOps
        case .kprobe where ["kprobe.multi", "kretprobe.multi", "kprobe.session"].contains(kind.section): manyProbes
        default: nil
        }
    }

    /// Sections whose targets libbpf looks up in the kernel's types to load the program.
    private static let needTarget: Set = [
        "fentry", "fexit", "fsession", "fmod_ret", "freplace", "tp_btf", "lsm", "lsm_cgroup", "iter",
    ]

    /// Checks that the kernel's types contain the target in the section's name.
    private mutating func checkTarget(_ number: Int, _ kind: ProgramKind) {
        let function = object.functions[number]
        let plain = kind.section.split(separator: ".").first.map(String.init) ?? kind.section
        guard let target = kind.target(in: function.section) else {
            if kind.section.contains(".multi") { return }
            guard Self.needTarget.contains(plain) else { return }
            return report(
                .attachTarget, in: number, "a program for \(kind.section) that names no attach target",
                refusal: "failed to prepare load attributes", isAnywhere: true,
                remedy: "SEC(\"\(kind.section)/NAME\"), or bpf_program__set_attach_target() in the loader")
        }
        guard let types = self.target.btf else { return }
        let (what, isThere, isOfModules): (String, Bool, Bool) =
            switch plain {
            // With "multi", targets are patterns.
            case _ where kind.section.contains(".multi"): ("", true, false)
            case "fentry", "fexit", "fsession", "fmod_ret": ("function \(target)", types.hasFunction(target), true)
            case "tp_btf":
                ("tracepoint \(target)", types.has("btf_trace_" + target, .typedef), true)
            case "lsm", "lsm_cgroup": ("security hook \(target)", types.hasFunction("bpf_lsm_" + target), false)
            case "iter": ("iterator \(target)", types.hasFunction("bpf_iter_" + target), true)
            default: ("", true, false)
            }
        guard !isThere else { return }
        report(
            .attachTarget, in: number,
            "a program for \(kind.section), attached to the \(what), which isn't in the kernel's types",
            refusal: "failed to prepare load attributes",
            condition: isOfModules ? unlessModule(types) : nil, isAnywhere: true,
            remedy: "bpf_program__set_autoload(program, false) where it isn't, and another target instead")
    }

    /// - Parameter functions: those that the verifier reaches.
    mutating func checkTailCalls(_ program: LoadedProgram, _ functions: [Int]) {
        // The check precedes the removal of dead code, so all of the program's functions count.
        guard program.functions.count > 1, let (function, slot) = firstTailCall(functions) else { return }
        for machine in machines {
            guard let since = Self.tailCallsBesideFunctions[machine], kernel < since else { continue }
            report(
                .tailCall, in: function, at: slot, "a tail call in a program with functions that aren't inlined",
                refusal: "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls", since: since,
                machines: [machine], program: program.root,
                remedy: "make the functions __always_inline, or avoid tail calls in this program")
        }
    }

    private func firstTailCall(_ functions: [Int]) -> (function: Int, slot: Int)? {
        for function in functions where object.functions[function].hasTailCall {
            guard let walk = walks[function] else { continue }
            let slot = object.functions[function].firstSlots.first {
                walk.isReached[$0] && object.functions[function].instructions[$0].isTailCall
            }
            if let slot { return (function, slot) }
        }
        return nil
    }
}

extension Instruction {
    var isTailCall: Bool { opcode == 0x85 && source == 0 && immediate == Helper.tailCall }
}
