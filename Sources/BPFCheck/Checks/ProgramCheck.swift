/// Kinds of programs, and tail calls beside functions.
extension ObjectCheck {
    /// From arm64's BPF trampoline and direct calls of ftrace: before that programs of fentry and lsm don't attach.
    private static let trampolines: [TargetMachine: KernelVersion] = [.aarch64: KernelVersion(6, 4)]
    private static let tailCallsBesideFunctions: [TargetMachine: KernelVersion] = [
        .x86_64: KernelVersion(5, 10), .aarch64: KernelVersion(6, 0),
    ]

    mutating func checkKind(_ program: LoadedProgram) {
        let function = object.functions[program.root]
        guard function.isProgram, let kind = function.kind else { return }
        let remedy = "bpf_program__set_autoload(program, false) on this kernel, and another program in its place"
        if kernel < kind.since {
            report(
                .program, in: program.root, "a program for \(kind.section), which can't be loaded or can't be attached",
                since: kind.since, remedy: remedy)
        } else if kind.family == .trampoline, kind.section != "tp_btf" {
            for machine in machines {
                guard let since = Self.trampolines[machine], kernel < since else { continue }
                report(
                    .program, in: program.root, "a program for \(kind.section), which can't be attached", since: since,
                    machines: [machine], remedy: remedy)
            }
        }
    }

    /// - Parameter functions: those that the verifier gets to.
    mutating func checkTailCalls(_ program: LoadedProgram, _ functions: [Int]) {
        // Before the kernel takes code away that is never executed, all functions count.
        guard program.functions.count > 1, let (function, slot) = firstTailCall(functions) else { return }
        for machine in machines {
            guard let since = Self.tailCallsBesideFunctions[machine], kernel < since else { continue }
            report(
                .tailCall, in: function, at: slot, "a tail call in a program with functions that aren't inlined",
                refusal: "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls", since: since,
                machines: [machine], program: program.root,
                remedy: "make the functions __always_inline, or have no tail calls in this program")
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
