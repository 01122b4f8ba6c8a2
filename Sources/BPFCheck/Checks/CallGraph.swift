/// The calls among the functions that are loaded with a program.
struct CallGraph {
    struct Call {
        let caller: Int
        let instruction: Int
        let callee: Int
    }

    /// The heaviest call chain to a function.
    struct Depth {
        var total: Int
        var previous: Int?
    }

    /// A call to a function that is still running, if there is one; then the rest is meaningless.
    private(set) var recursion: Call?
    /// Callers before their callees, unless there is recursion.
    private var order: [Int] = []
    private let callees: [Int: [(instruction: Int, function: Int)]]

    init(_ program: LoadedProgram, _ object: BPFObject) {
        callees = Dictionary(uniqueKeysWithValues: program.functions.map { ($0, object.functions[$0].callees) })
        // Depth first, with an explicit stack: objects from outside may nest calls a hundred thousand deep.
        var stack: [(function: Int, next: Int)] = [(program.root, 0)]
        var isOpen: [Int: Bool] = [program.root: true]
        while let (function, next) = stack.last {
            let calls = callees[function] ?? []
            guard next < calls.count else {
                isOpen[function] = false
                order.append(function)
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let callee = calls[next].function
            switch isOpen[callee] {
            case true?:
                recursion = Call(caller: function, instruction: calls[next].instruction, callee: callee)
                return
            case false?: break
            case nil:
                isOpen[callee] = true
                stack.append((callee, 0))
            }
        }
        order.reverse()
    }

    /// For each function, the heaviest call chain that ends with it.
    func deepest(_ weight: (Int) -> Int) -> [Int: Depth] {
        var depths: [Int: Depth] = [:]
        for (index, function) in order.enumerated() {
            if index == 0 { depths[function] = Depth(total: weight(function)) }
            guard let here = depths[function] else { continue }
            for callee in callees[function] ?? [] {
                let total = here.total + weight(callee.function)
                if total > depths[callee.function]?.total ?? -1 {
                    depths[callee.function] = Depth(total: total, previous: function)
                }
            }
        }
        return depths
    }

    /// The call chain from the program to `function`.
    static func chain(to function: Int, _ depths: [Int: Depth]) -> [Int] {
        var chain = [function]
        while let last = chain.last, let previous = depths[last]?.previous { chain.append(previous) }
        return chain.reversed()
    }
}
