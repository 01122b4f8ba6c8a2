/// Checks for recursion, and the depth of calls and their frames.
extension ObjectCheck {
    private static let stackLimit = 512
    private static let stackLimitBeforeTailCall = 256
    /// From this release on, frames are rounded to 16 bytes, as compiled code uses them, instead of 32.
    private static let roundsLess = KernelVersion(6, 9)
    /// 7.1 counts frames from the last global function, which isn't tracked here, and 7.2 allows 16 frames instead of
    /// 8. So from 7.1 on, only more than 16 are refused for certain.
    private static let callsDeeper = KernelVersion(7, 1)
    private static let privateStacks: [TargetMachine: KernelVersion] = [
        .x86_64: KernelVersion(6, 13), .aarch64: KernelVersion(6, 17),
    ]

    mutating func checkCallGraph(_ program: LoadedProgram, _ functions: [Int]) {
        let graph = CallGraph(program, object)
        if let call = graph.recursion {
            report(
                .recursion, in: call.caller, at: call.instruction,
                "calls \(object.functions[call.callee].name)(), which calls it back",
                program: program.root, remedy: "make it a loop")
            return
        }
        let rounding = kernel < Self.roundsLess ? 32 : 16
        let isVerified = Set(functions)
        // The verifier counts functions that it never reached, too, as empty frames.
        let sizes = program.functions.map { function in
            let size = isVerified.contains(function) ? walks[function]?.frameSize ?? 0 : 0
            return (function, (max(size, 1) + rounding - 1) / rounding * rounding)
        }
        let frames = Dictionary(uniqueKeysWithValues: sizes)
        for (function, size) in sizes where walks[function].map({ $0.frameSize > Self.stackLimit }) == true {
            report(
                .stackDepth, in: function, "a stack frame of \(size) bytes; the limit is \(Self.stackLimit)",
                refusal: "invalid", remedy: "keep large variables in a map")
            return
        }
        checkStack(program, graph.deepest { frames[$0] ?? 0 }, frames)
        checkDepth(program, graph.deepest { _ in 1 })
    }

    private mutating func checkStack(_ program: LoadedProgram, _ depths: [Int: CallGraph.Depth], _ frames: [Int: Int]) {
        let hasTailCall = program.functions.contains { object.functions[$0].hasTailCall }
        if !hasTailCall, hasPrivateStack(program) { return }
        let worst = program.functions.max { (depths[$0]?.total ?? 0) < (depths[$1]?.total ?? 0) }
        if let worst, let depth = depths[worst], depth.total > Self.stackLimit {
            let chain = CallGraph.chain(to: worst, depths)
            report(
                .stackDepth, in: worst,
                "\(depth.total) bytes of stack in \(text(chain, frames)); "
                    + "the limit is \(Self.stackLimit)",
                refusal: "combined stack size of \(chain.count) calls is \(depth.total). Too large",
                program: program.root, remedy: "keep large variables in a map, or inline a function of the chain")
        }
        for function in program.functions.dropFirst() where object.functions[function].hasTailCall {
            guard let depth = depths[function], let own = frames[function],
                depth.total - own >= Self.stackLimitBeforeTailCall
            else { continue }
            let before = depth.total - own
            let chain = text(CallGraph.chain(to: function, depths), frames)
            report(
                .stackDepth, in: function,
                "a tail call under \(before) bytes of stack, in \(chain); "
                    + "the limit is \(Self.stackLimitBeforeTailCall - 1)",
                refusal: "tail_calls are not allowed when call stack of previous frames is \(before) bytes. Too large",
                program: program.root, remedy: "make the tail call in the program itself, or with less stack before it")
        }
    }

    private mutating func checkDepth(_ program: LoadedProgram, _ depths: [Int: CallGraph.Depth]) {
        let limit = kernel < Self.callsDeeper ? 8 : 16
        let worst = program.functions.max { (depths[$0]?.total ?? 0) < (depths[$1]?.total ?? 0) }
        guard let worst, let depth = depths[worst], depth.total > limit else { return }
        let names = text(CallGraph.chain(to: worst, depths))
        report(
            .callDepth, in: worst, "\(depth.total) frames in \(names); the limit is \(limit)",
            refusal: "the call stack of \(limit + 1) frames is too deep",
            since: limit == 8 && depth.total <= 16 ? KernelVersion(7, 2) : nil, program: program.root,
            remedy: "inline functions of the chain (__always_inline)")
    }

    /// `outermost (208) > middle (208)`; of a very long chain, only the beginning and the end.
    private func text(_ chain: [Int], _ frames: [Int: Int]? = nil) -> String {
        var words = chain.prefix(20).map { function in
            object.functions[function].name + (frames?[function].map { " (\($0))" } ?? "")
        }
        if chain.count > 20, let last = chain.last { words += ["...", object.functions[last].name] }
        return words.joined(separator: " > ")
    }

    /// Whether the kernel gives each function of the program a stack of its own, on all machines checked.
    private func hasPrivateStack(_ program: LoadedProgram) -> Bool {
        guard object.functions[program.root].kind?.family.hasPrivateStack == true else { return false }
        return machines.allSatisfy { machine in Self.privateStacks[machine].map { $0 <= kernel } ?? false }
    }
}
