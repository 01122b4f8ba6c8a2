import Symbols

/// The functions of a profile, with what each uses itself and what it uses together with its callees.
public struct FunctionTotals {
    /// A function: the same name in the same file.
    public struct Function: Hashable, Sendable {
        /// In the profile's names.
        public var name: NameTable.ID
        /// In the profile's modules; nil if it isn't known.
        public var module: UInt32?
    }

    /// A function's weights, in the profile's unit.
    public struct Entry: Sendable {
        /// The function.
        public var function: Function
        /// Of stacks whose innermost frame it is.
        public var own: Double
        /// Of stacks that it is in. A stack counts once, however often the function is in it.
        public var total: Double
    }

    /// In the order in which the functions came first.
    public private(set) var entries: [Entry] = []
    /// The weight of all stacks.
    public private(set) var total = 0.0

    /// Adds up a profile.
    public init(_ profile: NamedProfile) {
        var numbers: [Function: Int] = [:]
        let functionOfFrame = profile.frames.map { frame in
            let function = Function(name: frame.function, module: frame.module)
            if let known = numbers[function] { return known }
            let number = entries.count
            numbers[function] = number
            entries.append(Entry(function: function, own: 0, total: 0))
            return number
        }
        var weights = [Double](repeating: 0, count: profile.nodes.count)
        for (stack, weight) in profile.stacks {
            weights[Int(stack.node)] += weight.total
            total += weight.total
            guard stack.node != 0 else { continue }
            entries[functionOfFrame[Int(profile.nodes[Int(stack.node)].frame)]].own += weight.total
        }
        for index in profile.nodes.indices.dropFirst().reversed() {
            weights[Int(profile.nodes[index].parent)] += weights[index]
        }
        addTotals(profile, weights, functionOfFrame)
    }

    /// Adds each node's weight to its function, unless a caller of it is the same function.
    private mutating func addTotals(_ profile: NamedProfile, _ weights: [Double], _ functionOfFrame: [Int]) {
        let children = NodeChildren(profile.nodes.lazy.map(\.parent))
        var depths = [Int](repeating: 0, count: entries.count)
        // A node that is to be left has its bits inverted.
        var pending = children[0].map { Int($0) }
        while let next = pending.popLast() {
            let node = next < 0 ? ~next : next
            let function = functionOfFrame[Int(profile.nodes[node].frame)]
            if next < 0 {
                depths[function] -= 1
                continue
            }
            if depths[function] == 0 { entries[function].total += weights[node] }
            depths[function] += 1
            pending.append(~node)
            for child in children[node] { pending.append(Int(child)) }
        }
    }

    /// Those with the largest weights of their own.
    public func hottest(_ count: Int) -> [Entry] {
        Array(
            entries.indices.filter { entries[$0].own > 0 }
                .sorted { (entries[$1].own, entries[$1].total, $0) < (entries[$0].own, entries[$0].total, $1) }
                .prefix(count).map { entries[$0] })
    }
}
