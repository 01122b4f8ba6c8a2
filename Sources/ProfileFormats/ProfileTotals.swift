import Symbols

/// How much of a profile is in each function, module, thread or whatever it is divided by.
public struct ProfileTotals: Sendable {
    /// What a profile is divided by.
    public enum Part: String, Sendable, CaseIterable {
        /// Functions of the same name in the same module.
        case function
        /// Source lines; functions whose lines aren't known.
        case line
        /// Files that code is in.
        case module
        /// Threads of the same name.
        case thread
        /// Processes, by id and the name of their threads.
        case process
        /// Cgroups of version 2, by path.
        case cgroup

        /// Whether a stack is in several of them: one has each of its frames.
        public var isOfFrames: Bool {
            switch self {
            case .function, .line, .module: true
            case .thread, .process, .cgroup: false
            }
        }
    }

    /// A function, a module, a thread.
    public struct Row: Sendable {
        /// As it was found: text must be made printable (`PrintableText`).
        public var name: String
        /// The path of a function's module; empty if it isn't known, or if this is no function.
        public var module: String
        /// Of stacks whose innermost frame is in it.
        public var own = 0.0
        /// Of stacks with a frame in it.
        public var total = 0.0
    }

    /// Those that have any weight: those with most of their own first, then by their total, then by name.
    public private(set) var rows: [Row] = []

    /// Divides a profile.
    public init(_ profile: NamedProfile, by part: Part) {
        rows = part.isOfFrames ? Self.ofFrames(profile, part) : Self.ofStacks(profile, part)
        rows.removeAll { $0.total <= 0 }
        rows.sort {
            if $0.own != $1.own { return $0.own > $1.own }
            if $0.total != $1.total { return $0.total > $1.total }
            return ($0.name, $0.module) < ($1.name, $1.module)
        }
    }

    private static func ofStacks(_ profile: NamedProfile, _ part: Part) -> [Row] {
        struct Key: Hashable {
            var name: NameTable.ID
            var process: Int32
        }
        var numbers: [Key: Int] = [:], rows: [Row] = []
        for (stack, weight) in profile.stacks {
            let key = Key(
                name: part == .cgroup ? stack.cgroup : stack.thread, process: part == .process ? stack.process : 0)
            if numbers[key] == nil {
                numbers[key] = rows.count
                let name = profile.names[key.name], known = name.isEmpty ? "[unknown]" : name
                rows.append(Row(name: part == .process ? "\(stack.process) \(known)" : known, module: ""))
            }
            guard let number = numbers[key] else { continue }
            rows[number].own += weight.total
            rows[number].total += weight.total
        }
        return rows
    }

    private static func ofFrames(_ profile: NamedProfile, _ part: Part) -> [Row] {
        var groups = FrameGroups(profile, part)
        var own = [Double](repeating: 0, count: profile.nodes.count)
        for (stack, weight) in profile.stacks { own[Int(stack.node)] += weight.total }
        var totals = own
        for node in profile.nodes.indices.dropFirst().reversed() {
            totals[Int(profile.nodes[node].parent)] += totals[node]
        }
        // How many frames of a group the current node is below: a recursive function counts once.
        var open = [Int](repeating: 0, count: groups.rows.count), path: [Int] = []
        let children = NodeChildren(profile.nodes.map(\.parent))
        children.visit { node, depth in
            while path.count >= depth { open[path.removeLast()] -= 1 }
            let group = groups.ofFrames[Int(profile.nodes[node].frame)]
            groups.rows[group].own += own[node]
            if open[group] == 0 { groups.rows[group].total += totals[node] }
            open[group] += 1
            path.append(group)
        }
        if own[0] > 0 { groups.rows.append(Row(name: "[no frames]", module: "", own: own[0], total: own[0])) }
        return groups.rows
    }
}

/// The rows that frames belong to.
private struct FrameGroups {
    private struct Key: Hashable {
        var name: NameTable.ID
        var module: UInt32?
        var line: UInt32
    }

    var rows: [ProfileTotals.Row] = []
    /// By frame.
    private(set) var ofFrames: [Int] = []

    init(_ profile: NamedProfile, _ part: ProfileTotals.Part) {
        var numbers: [Key: Int] = [:]
        for frame in profile.frames {
            let path = frame.module.map { profile.modules[Int($0)].path } ?? profile.noName
            let hasLine = part == .line && frame.file != profile.noName
            let key =
                switch part {
                case .line where hasLine: Key(name: frame.file, module: nil, line: frame.line)
                case .module: Key(name: path, module: nil, line: 0)
                default: Key(name: frame.function, module: frame.module, line: 0)
                }
            if let known = numbers[key] {
                ofFrames.append(known)
                continue
            }
            numbers[key] = rows.count
            ofFrames.append(rows.count)
            let name = profile.names[key.name]
            rows.append(
                ProfileTotals.Row(
                    name: hasLine ? "\(name):\(frame.line)" : name.isEmpty ? "[unknown]" : name,
                    module: part == .module || hasLine ? "" : profile.names[path]))
        }
    }
}

extension NodeChildren {
    /// Visits all nodes but the root, each before its children, and these one after the other. The root's children have
    /// depth 1.
    func visit(_ visit: (_ node: Int, _ depth: Int) -> Void) {
        var pending: [(node: UInt32, depth: Int)] = self[0].reversed().map { ($0, 1) }
        while let (node, depth) = pending.popLast() {
            visit(Int(node), depth)
            for child in self[Int(node)].reversed() { pending.append((child, depth + 1)) }
        }
    }
}
