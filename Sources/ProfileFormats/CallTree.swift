import Symbols

/// Who calls whom, and how much of a profile is there: from the outermost functions inwards, or around one function.
public struct CallTree: Sendable {
    /// A function called from its parent; in a tree of callers, one that calls its parent.
    public struct Node: Sendable {
        /// In ``nodes``; less than this node's own number.
        public var parent: UInt32
        /// In ``NamedProfile/names``.
        public var function: NameTable.ID
        /// In ``NamedProfile/modules``.
        public var module: UInt32?
        /// Of stacks that end here.
        public var own = 0.0
        /// Of stacks that go through here, or end here.
        public var total = 0.0
    }

    /// The first is the root, which stands for no function. Parents come before their children.
    public private(set) var nodes: [Node]

    private struct Key: Hashable {
        var parent: UInt32
        var function: NameTable.ID
        var module: UInt32?
    }

    private init(_ profile: NamedProfile) { nodes = [Node(parent: 0, function: profile.noName)] }

    /// Where in the tree are stacks that end in a node of the profile; nil if they aren't in it.
    private mutating func add(_ weights: [Double], at places: [UInt32?]) {
        for (node, weight) in weights.enumerated() {
            if let place = places[node] { nodes[Int(place)].own += weight }
        }
        for index in nodes.indices.reversed() {
            nodes[index].total += nodes[index].own
            if index > 0 { nodes[Int(nodes[index].parent)].total += nodes[index].total }
        }
    }

    /// The weights of stacks by node of the profile.
    private static func weights(_ profile: NamedProfile) -> [Double] {
        var weights = [Double](repeating: 0, count: profile.nodes.count)
        for (stack, weight) in profile.stacks { weights[Int(stack.node)] += weight.total }
        return weights
    }

    private mutating func child(
        _ frame: NamedProfile.Frame, of parent: UInt32, _ numbers: inout [Key: UInt32]
    ) -> UInt32 {
        let key = Key(parent: parent, function: frame.function, module: frame.module)
        if let known = numbers[key] { return known }
        let number = UInt32(nodes.count)
        numbers[key] = number
        nodes.append(Node(parent: parent, function: frame.function, module: frame.module))
        return number
    }

    /// The whole profile.
    public init(of profile: NamedProfile) {
        self.init(profile)
        var numbers: [Key: UInt32] = [:], places: [UInt32?] = [0]
        for node in profile.nodes.dropFirst() {
            places.append(child(profile.frames[Int(node.frame)], of: places[Int(node.parent)] ?? 0, &numbers))
        }
        add(Self.weights(profile), at: places)
    }

    /// What functions call, from their outermost frame inwards.
    ///
    /// - Parameters:
    ///   - matches: whether a function is one of them.
    ///   - profile: where they are looked for.
    public init(calleesOf matches: (NamedProfile.Frame) -> Bool, in profile: NamedProfile) {
        self.init(profile)
        var numbers: [Key: UInt32] = [:], places: [UInt32?] = [nil]
        for node in profile.nodes.dropFirst() {
            let frame = profile.frames[Int(node.frame)]
            if let parent = places[Int(node.parent)] {
                places.append(child(frame, of: parent, &numbers))
            } else {
                places.append(matches(frame) ? child(frame, of: 0, &numbers) : nil)
            }
        }
        add(Self.weights(profile), at: places)
    }

    /// Who calls functions, from their innermost frame outwards.
    ///
    /// - Parameters:
    ///   - matches: whether a function is one of them.
    ///   - profile: where they are looked for.
    public init(callersOf matches: (NamedProfile.Frame) -> Bool, in profile: NamedProfile) {
        self.init(profile)
        /// For each node, that of the innermost frame that matches, up from there; 0 if there is none.
        var innermost: [UInt32] = [0]
        for (index, node) in profile.nodes.enumerated().dropFirst() {
            innermost.append(
                matches(profile.frames[Int(node.frame)]) ? UInt32(index) : innermost[Int(node.parent)])
        }
        var sums = [Double](repeating: 0, count: profile.nodes.count)
        for (node, weight) in Self.weights(profile).enumerated() { sums[Int(innermost[node])] += weight }
        var numbers: [Key: UInt32] = [:], places = [UInt32?](repeating: nil, count: profile.nodes.count)
        for index in sums.indices.dropFirst() where sums[index] > 0 {
            var (node, place) = (index, 0 as UInt32)
            while node != 0 {
                place = child(profile.frames[Int(profile.nodes[node].frame)], of: place, &numbers)
                node = Int(profile.nodes[node].parent)
            }
            places[index] = place
        }
        add(sums, at: places)
    }

    /// Visits all nodes but the root with at least this weight, the heaviest first, each before its children. The root's
    /// children have depth 1.
    public func visit(atLeast least: Double, _ visit: (_ node: Node, _ depth: Int) -> Void) {
        let children = NodeChildren(nodes.map(\.parent))
        func sorted(_ node: Int) -> [UInt32] {
            children[node].filter { nodes[Int($0)].total >= least && nodes[Int($0)].total > 0 }.sorted {
                let (a, b) = (nodes[Int($0)].total, nodes[Int($1)].total)
                return a != b ? a < b : $0 > $1
            }
        }
        var pending = sorted(0).map { (node: $0, depth: 1) }
        while let (node, depth) = pending.popLast() {
            visit(nodes[Int(node)], depth)
            for child in sorted(Int(node)) { pending.append((child, depth + 1)) }
        }
    }
}
