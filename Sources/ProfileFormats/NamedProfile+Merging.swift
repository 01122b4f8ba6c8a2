import Symbols

extension NamedProfile {
    /// Adds the samples of another profile of the same kind, which was recorded before or after this one. Their times are
    /// forgotten.
    public mutating func add(_ other: NamedProfile) {
        timeline = nil
        seconds += other.seconds
        lostSamples += other.lostSamples
        var merging = Merging(other)
        for (stack, weight) in other.stacks { add(merging.stack(stack, in: &self), weight) }
    }
}

/// Renumbers what the stacks of a profile refer to for another one.
private struct Merging {
    private let other: NamedProfile
    private var names: [NameTable.ID: NameTable.ID] = [:]
    /// By their numbers in `other`; parents come before their children.
    private var nodes: [UInt32] = [0]
    private var frames: [UInt32?]
    private var modules: [UInt32?]
    private var spaces: [UInt32: UInt32] = [0: 0]

    init(_ other: NamedProfile) {
        self.other = other
        nodes.reserveCapacity(other.nodes.count)
        frames = Array(repeating: nil, count: other.frames.count)
        modules = Array(repeating: nil, count: other.modules.count)
    }

    mutating func stack(_ stack: NamedProfile.Stack, in profile: inout NamedProfile) -> NamedProfile.Stack {
        var changed = stack
        while nodes.count <= stack.node {
            let node = other.nodes[nodes.count]
            nodes.append(
                profile.node(of: frame(node.frame, in: &profile), calledFrom: nodes[Int(node.parent)]))
        }
        changed.node = nodes[Int(stack.node)]
        changed.space = space(stack.space, in: &profile)
        changed.thread = name(stack.thread, in: &profile)
        changed.cgroup = name(stack.cgroup, in: &profile)
        changed.end = name(stack.end, in: &profile)
        return changed
    }

    private mutating func frame(_ number: UInt32, in profile: inout NamedProfile) -> UInt32 {
        if let known = frames[Int(number)] { return known }
        var frame = other.frames[Int(number)]
        frame.function = name(frame.function, in: &profile)
        frame.symbol = name(frame.symbol, in: &profile)
        frame.file = name(frame.file, in: &profile)
        frame.module = frame.module.map { module($0, in: &profile) }
        let new = profile.number(of: frame)
        frames[Int(number)] = new
        return new
    }

    private mutating func space(_ number: UInt32, in profile: inout NamedProfile) -> UInt32 {
        if let known = spaces[number] { return known }
        let mappings = other.spaces[Int(number)].map { mapping in
            var (mapping, piece) = (mapping, other.pieces[Int(mapping.piece)])
            piece.module = module(piece.module, in: &profile)
            mapping.piece = profile.number(of: piece)
            return mapping
        }
        let new = profile.space(of: mappings)
        spaces[number] = new
        return new
    }

    private mutating func module(_ number: UInt32, in profile: inout NamedProfile) -> UInt32 {
        if let known = modules[Int(number)] { return known }
        var module = other.modules[Int(number)]
        module.path = name(module.path, in: &profile)
        module.buildID = name(module.buildID, in: &profile)
        let new = profile.number(of: module)
        modules[Int(number)] = new
        return new
    }

    private mutating func name(_ id: NameTable.ID, in profile: inout NamedProfile) -> NameTable.ID {
        if let known = names[id] { return known }
        let new = profile.name(other.names[id])
        names[id] = new
        return new
    }
}
