/// A BPF program with the functions that libbpf loads with it: all functions that it calls, or whose addresses it uses,
/// directly or indirectly.
struct LoadedProgram {
    /// Index of the program's function; in an object without programs, of any function, as other objects may call it.
    let root: Int
    /// The root first, then the functions in the order of discovery.
    let functions: [Int]

    /// The largest total number of functions that the programs of an object may load. Real objects load a few thousand.
    private static let limit = 1 << 20

    /// The programs of an object. An object without programs is meant for linking with others, so every function counts
    /// as a root. Nil if the limit is exceeded, which happens only in objects made to cost time.
    static func all(_ functions: [Function]) -> [LoadedProgram]? {
        var roots = functions.indices.filter { functions[$0].isProgram }
        if roots.isEmpty { roots = Array(functions.indices) }
        var programs: [LoadedProgram] = []
        var count = 0
        for root in roots {
            let loaded = closure(from: [root]) { functions[$0].callees.map(\.function) }
            count += loaded.count
            guard count <= limit else { return nil }
            programs.append(LoadedProgram(root: root, functions: loaded))
        }
        return programs
    }

    static func closure(from roots: [Int], _ next: (Int) -> [Int]) -> [Int] {
        var found: [Int] = []
        var seen = Set(roots)
        var pending = Array(roots.reversed())
        while let function = pending.popLast() {
            found.append(function)
            for callee in next(function).reversed() where seen.insert(callee).inserted { pending.append(callee) }
        }
        return found
    }
}
