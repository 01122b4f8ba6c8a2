/// A program with the functions that libbpf loads with it: all that it, or one of them, calls or gives away.
struct LoadedProgram {
    /// The program; in an object without any, a function that other objects may call.
    let root: Int
    /// The root first, then the functions in the order in which they are found.
    let functions: [Int]

    /// How many functions the programs of an object may load, all together. Real objects load some thousands.
    private static let limit = 1 << 20

    /// The programs of an object; of one for others to link with, which has none, all functions, as any may be called.
    /// Nil if they load more functions than objects do that aren't made to take time.
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
