/// Checks an object for one kernel.
struct ObjectCheck {
    let object: BPFObject
    let target: TargetKernel
    let answers: Answers
    let machines: [TargetMachine]
    let programs: [LoadedProgram]
    /// The programs that load a function, by function; those that libbpf always loads come first.
    let loaders: [Int: [Int]]
    /// By function, for those that at least one program loads.
    private(set) var walks: [Int: FunctionWalk] = [:]
    /// The functions that this kernel verifies, by index in `programs`.
    private(set) var verified: [[Int]] = []
    /// The conditions under which the verifier reaches a function at all.
    private var conditions: [Int: Set<Condition>] = [:]
    private(set) var findings: [Finding] = []

    var kernel: KernelVersion { target.version }

    /// Kernels from the first to before the second release verify all global functions of a program. Later ones verify
    /// only those called from reachable code.
    static let verifiesGlobals = KernelVersion(5, 6)
    static let skipsUnreachedGlobals = KernelVersion(6, 8)

    init(_ object: BPFObject, _ target: TargetKernel, _ machines: [TargetMachine]) {
        self.object = object
        self.target = target
        self.machines = machines
        answers = Answers(target: target, btf: object.btf, constants: object.constants)
        programs = object.programs
        var loaders: [Int: [Int]] = [:]
        for program in programs {
            for function in program.functions { loaders[function, default: []].append(program.root) }
        }
        self.loaders = loaders.mapValues { roots in
            roots.filter { !object.functions[$0].isOptional } + roots.filter { object.functions[$0].isOptional }
        }
        for function in loaders.keys {
            walks[function] = FunctionWalk(object.functions[function], answers)
        }
        for program in programs {
            var roots = [program.root]
            if kernel < Self.skipsUnreachedGlobals {
                roots += program.functions.filter { isVerifiedAlone($0) && $0 != program.root }
            }
            verified.append(LoadedProgram.closure(from: roots) { reachedCallees(of: $0) })
            findConditions(from: roots)
        }
    }

    /// Propagates conditions along calls from functions that are verified unconditionally. A function's conditions can
    /// only decrease, so this terminates.
    private mutating func findConditions(from roots: [Int]) {
        for root in roots { conditions[root] = [] }
        var pending = roots
        while let caller = pending.popLast() {
            guard let walk = walks[caller], let own = conditions[caller] else { continue }
            for (slot, callee) in object.functions[caller].callees where walk.isReached[slot] {
                let here = own.union(walk.conditions[slot] ?? [])
                let known = conditions[callee]
                let new = known?.intersection(here) ?? here
                guard new != known else { continue }
                conditions[callee] = new
                pending.append(callee)
            }
        }
    }

    /// Whether libbpf skips all programs that load the function unless told otherwise.
    private func isOptional(_ function: Int, _ program: Int?) -> Bool {
        if let program { return object.functions[program].isOptional }
        guard let first = loaders[function]?.first else { return false }
        return object.functions[first].isOptional
    }

    /// Whether the kernel verifies the function once, for all arguments, not at each call.
    func isVerifiedAlone(_ function: Int) -> Bool {
        object.functions[function].isGlobal && kernel >= Self.verifiesGlobals
    }

    private func reachedCallees(of function: Int) -> [Int] {
        guard let walk = walks[function] else { return [] }
        return object.functions[function].callees.filter { walk.isReached[$0.instruction] }.map(\.function)
    }

    mutating func run() {
        checkMaps()
        var loaded: Set<Int> = []
        var reached: Set<Int> = []
        for (program, functions) in zip(programs, verified) {
            loaded.formUnion(program.functions)
            reached.formUnion(functions)
        }
        for function in loaded.sorted() { checkInstructions(of: function, isVerified: reached.contains(function)) }
        for function in reached.sorted() { checkGlobal(function) }
        for (program, functions) in zip(programs, verified) {
            checkKind(program)
            checkPreallocation(program)
            checkTailCalls(program, functions)
            checkCallGraph(program, functions)
        }
        sortFindings()
    }

    /// Sorts by source position, as far as it is known, and drops duplicates on the same line.
    private mutating func sortFindings() {
        var seen: Set<Finding> = []
        var places: [String: Int] = [:]
        for (index, function) in object.functions.enumerated() where places[function.name] == nil {
            places[function.name] = index
        }
        let order = findings.enumerated().map { index, finding in
            (finding.function.flatMap { places[$0] } ?? -1, finding.offset ?? 0, index)
        }
        findings = order.sorted { $0 < $1 }.map { findings[$0.2] }.filter { finding in
            var sameLine = finding
            if finding.source != nil { sameLine.offset = nil }
            return seen.insert(sameLine).inserted
        }
    }

    /// Reports a finding in a function, at one of its instructions.
    ///
    /// - Parameters:
    ///   - condition: a condition in addition to those under which the instruction is reachable.
    ///   - isAnywhere: whether it matters even in unreachable code.
    mutating func report(
        _ kind: Finding.Kind, in function: Int, at instruction: Int = 0, _ problem: String, refusal: String? = nil,
        since: KernelVersion? = nil, machines: [TargetMachine]? = nil, program: Int? = nil, condition: String? = nil,
        isAnywhere: Bool = false, remedy: String
    ) {
        let place = object.functions[function]
        var needed = isAnywhere ? [] : conditions[function] ?? []
        if !isAnywhere { needed.formUnion(walks[function]?.conditions[instruction] ?? []) }
        if let condition { needed.insert(Condition(text: condition)) }
        findings.append(
            Finding(
                kind: kind, kernel: kernel, machines: machines, function: place.name,
                program: program.map { object.functions[$0].name }, section: place.section,
                offset: place.start + instruction * Instruction.size, source: object.source(of: instruction, in: place),
                problem: problem, refusal: refusal, since: since, remedy: remedy, condition: Condition.text(needed),
                isOptional: isOptional(function, program)))
    }

    /// Reports a finding about a map or the object.
    mutating func reportMap(
        _ kind: Finding.Kind, _ problem: String, since: KernelVersion? = nil, refusal: String? = nil,
        machines: [TargetMachine]? = nil, condition: String? = nil, section: String = ".maps", remedy: String
    ) {
        findings.append(
            Finding(
                kind: kind, kernel: kernel, machines: machines, section: section, problem: problem, refusal: refusal,
                since: since, remedy: remedy, condition: condition))
    }
}

extension BPFObject {
    /// What `kernel` refuses in the object or lacks, and what libbpf 1 refuses before it involves the kernel. Loads
    /// nothing.
    ///
    /// - Parameter types: the kernel's own types, which tell more than its release.
    public func findings(
        kernel: KernelVersion, types: KernelBTF? = nil, machines: [TargetMachine] = TargetMachine.allCases
    ) -> [Finding] {
        var check = ObjectCheck(self, TargetKernel(version: kernel, btf: types), machines)
        check.run()
        return check.findings
    }
}
