/// The children of a tree's nodes, those of one node together.
struct NodeChildren {
    private var starts: [Int]
    private var list: [UInt32]

    /// - Parameter parents: of all nodes. The first is the root.
    init(_ parents: some Collection<UInt32>) {
        starts = [Int](repeating: 0, count: parents.count + 1)
        for parent in parents.dropFirst() { starts[Int(parent) + 1] += 1 }
        for index in 0..<parents.count { starts[index + 1] += starts[index] }
        var next = starts
        list = [UInt32](repeating: 0, count: parents.count - 1)
        for (index, parent) in parents.enumerated().dropFirst() {
            list[next[Int(parent)]] = UInt32(index)
            next[Int(parent)] += 1
        }
    }

    /// In ascending order.
    subscript(node: Int) -> ArraySlice<UInt32> { list[starts[node]..<starts[node + 1]] }
}
