import ProfileFormats
import Symbols

/// Who calls whom in a profile: stacks merged by function, below their thread's name. Siblings are in alphabetical order, so
/// that they keep their places from one profile to the next.
package struct LiveTree {
    /// What a node stands for.
    package struct Function: Hashable, Sendable {
        package var name: String
        /// The last part of the module's path; empty if it isn't known, and for threads.
        package var module: String
        package var kind: Kind
    }

    package enum Kind: Hashable, Sendable {
        case all, thread, user, kernel, guessed, inlined, truncated
    }

    package struct Node: Sendable {
        /// This one's number for the root.
        package var parent: Int
        package var function: Function
        /// Of stacks that end here, and of all that go through.
        package var own = 0.0
        package var total = 0.0
        /// In order.
        package var children: [Int] = []
    }

    /// The first is the root. Parents come before their children.
    package private(set) var nodes: [Node]

    private struct Key: Hashable {
        var parent: Int
        var function: Function
    }

    package init(_ profile: NamedProfile) {
        nodes = [Node(parent: 0, function: Function(name: "all", module: "", kind: .all))]
        let functions = profile.frames.map { Self.function(of: $0, in: profile) }
        var numbers: [Key: Int] = [:]
        /// For a node of the profile below a node here: threads share the profile's nodes.
        var known: [UInt64: Int] = [:]
        for (stack, weight) in profile.stacks where weight.total > 0 {
            var start = child(
                of: 0, Function(name: PrintableText.of(profile.names[stack.thread]), module: "", kind: .thread),
                &numbers)
            if stack.outcome == .truncated {
                start = child(of: start, Function(name: "[truncated]", module: "", kind: .truncated), &numbers)
            }
            var path: [UInt32] = []
            var node = stack.node
            var found: Int?
            while node != 0 {
                found = known[UInt64(start) << 32 | UInt64(node)]
                if found != nil { break }
                path.append(node)
                node = profile.nodes[Int(node)].parent
            }
            var number = found ?? start
            for node in path.reversed() {
                number = child(of: number, functions[Int(profile.nodes[Int(node)].frame)], &numbers)
                known[UInt64(start) << 32 | UInt64(node)] = number
            }
            nodes[number].own += weight.total
        }
        finish()
    }

    private mutating func child(of parent: Int, _ function: Function, _ numbers: inout [Key: Int]) -> Int {
        let key = Key(parent: parent, function: function)
        if let known = numbers[key] { return known }
        numbers[key] = nodes.count
        nodes[parent].children.append(nodes.count)
        nodes.append(Node(parent: parent, function: function))
        return nodes.count - 1
    }

    private mutating func finish() {
        for index in nodes.indices.reversed() {
            nodes[index].total += nodes[index].own
            if index > 0 { nodes[nodes[index].parent].total += nodes[index].total }
            let order = nodes[index].children.map { (nodes[$0].function, $0) }
            nodes[index].children = order.sorted { ($0.0.name, $0.0.module, $0.1) < ($1.0.name, $1.0.module, $1.1) }
                .map(\.1)
        }
    }

    private static func function(of frame: NamedProfile.Frame, in profile: NamedProfile) -> Function {
        let path = frame.module.map { profile.names[profile.modules[Int($0)].path] } ?? ""
        let kind: Kind =
            frame.marks.contains(.kernel)
            ? .kernel : frame.marks.contains(.guessed) ? .guessed : frame.marks.contains(.inlined) ? .inlined : .user
        return Function(
            name: PrintableText.of(profile.names[frame.function]),
            module: PrintableText.of(String(path.split(separator: "/").last ?? "")), kind: kind)
    }

    /// The functions on the way from the root to a node, without the root.
    package func path(to node: Int) -> [Function] {
        var path: [Function] = []
        var node = node
        while node != 0 {
            path.append(nodes[node].function)
            node = nodes[node].parent
        }
        return path.reversed()
    }

    /// The node that a path leads to, or as much of the path as there is.
    package func node(at path: [Function]) -> Int {
        var node = 0
        for function in path {
            guard let next = nodes[node].children.first(where: { nodes[$0].function == function }) else { break }
            node = next
        }
        return node
    }
}
