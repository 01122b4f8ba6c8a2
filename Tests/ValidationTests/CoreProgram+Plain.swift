/// Stacks of plain C.
extension CoreProgram {
    static let cRecursion = Self("c-recursion", source: "c-recursion.c", stops: [.at("stop_here")])
}
