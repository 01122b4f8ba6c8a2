/// Looks through an object with the eyes of one kernel.
struct ObjectCheck {
    let object: BPFObject
    let kernel: KernelVersion
    let machines: [TargetMachine]
    let programs: [LoadedProgram]
    /// The programs that load a function, by function.
    let loaders: [Int: [Int]]
    /// By function. Filled for those that some program loads.
    private(set) var walks: [Int: FunctionWalk] = [:]
    /// The functions that this kernel verifies, by program's place in `programs`.
    private(set) var verified: [[Int]] = []
    private(set) var findings: [Finding] = []

    /// Kernels between these verify all global functions of a program, later ones only those that are called from
    /// where it can get.
    static let verifiesGlobals = KernelVersion(5, 6)
    static let skipsUnreachedGlobals = KernelVersion(6, 8)

    init(_ object: BPFObject, _ kernel: KernelVersion, _ machines: [TargetMachine]) {
        self.object = object
        self.kernel = kernel
        self.machines = machines
        programs = object.programs
        var loaders: [Int: [Int]] = [:]
        for program in programs {
            for function in program.functions { loaders[function, default: []].append(program.root) }
        }
        self.loaders = loaders
        let answers = Answers(kernel: kernel, btf: object.btf)
        for function in loaders.keys {
            walks[function] = FunctionWalk(object.functions[function], answers)
        }
        for program in programs {
            var roots = [program.root]
            if kernel < Self.skipsUnreachedGlobals {
                roots += program.functions.filter { isVerifiedAlone($0) && $0 != program.root }
            }
            verified.append(LoadedProgram.closure(from: roots) { reachedCallees(of: $0) })
        }
    }

    /// Whether the kernel verifies the function once, for all arguments, and not at each call.
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

    /// In the order of the source, as far as that is known; each thing once for a line.
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

    /// A finding in a function, at an instruction of it.
    mutating func report(
        _ kind: Finding.Kind, in function: Int, at instruction: Int = 0, _ problem: String, refusal: String? = nil,
        since: KernelVersion? = nil, machines: [TargetMachine]? = nil, program: Int? = nil, remedy: String
    ) {
        let place = object.functions[function]
        findings.append(Finding(
            kind: kind, kernel: kernel, machines: machines, function: place.name,
            program: program.map { object.functions[$0].name }, section: place.section,
            offset: place.start + instruction * Instruction.size, source: object.source(of: instruction, in: place),
            problem: problem, refusal: refusal, since: since, remedy: remedy))
    }

    /// A finding of a map.
    mutating func report(
        _ kind: Finding.Kind, _ problem: String, since: KernelVersion?, refusal: String? = nil, remedy: String
    ) {
        findings.append(Finding(
            kind: kind, kernel: kernel, section: ".maps", problem: problem, refusal: refusal, since: since,
            remedy: remedy))
    }
}

extension BPFObject {
    /// What `kernel` refuses of the object, or lacks. Nothing is loaded.
    public func findings(
        kernel: KernelVersion, machines: [TargetMachine] = TargetMachine.allCases
    ) -> [Finding] {
        var check = ObjectCheck(self, kernel, machines)
        check.run()
        return check.findings
    }
}
