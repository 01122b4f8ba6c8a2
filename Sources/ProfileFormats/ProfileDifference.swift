import Symbols

/// Two profiles in one, to be compared: the stacks of both, with both weights. The earlier weights are scaled so that both
/// profiles have the same total, because they rarely took equally long.
///
/// Processes are not told apart, because their ids are others in each run; nor are files of the same path, because their
/// build ids are.
public struct ProfileDifference: Sendable {
    /// The stacks of both. Weights are those of the later profile; those of stacks that are only in the earlier one are 0.
    public private(set) var profile: NamedProfile
    /// The earlier weights, scaled, by stack.
    public private(set) var old: [Double] = []

    /// Why two profiles can't be compared.
    public struct DifferentUnits: Error, CustomStringConvertible {
        private let units: [NamedProfile.Unit]

        /// They count different things.
        public init(from old: NamedProfile, to new: NamedProfile) { units = [new.unit, old.unit] }

        /// For people.
        public var description: String {
            "one profile counts \(units[0].rawValue), the other one \(units[1].rawValue): they can't be compared"
        }
    }

    /// Puts profiles together.
    public init(from old: NamedProfile, to new: NamedProfile) throws(DifferentUnits) {
        guard old.unit == new.unit else { throw DifferentUnits(from: old, to: new) }
        profile = NamedProfile(unit: new.unit, event: new.event, seconds: new.seconds)
        (profile.period, profile.frequency) = (new.period, new.frequency)
        (profile.includesWaits, profile.lostSamples) = (new.includesWaits, new.lostSamples)
        add(new, scale: nil)
        let (before, now) = (old.total.total, new.total.total)
        add(old, scale: before > 0 ? now / before : 0)
    }

    /// - Parameter scale: of the earlier profile; nil for the later one.
    private mutating func add(_ other: NamedProfile, scale: Double?) {
        var translation = Translation(other)
        let nodes = translation.nodes(in: &profile)
        for (stack, weight) in other.stacks where weight.samples > 0 {
            var translated = stack
            (translated.node, translated.process, translated.space) = (nodes[Int(stack.node)], 0, 0)
            translated.thread = translation.name(stack.thread, in: &profile)
            translated.cgroup = profile.noName
            translated.end = translation.name(stack.end, in: &profile)
            let number = profile.add(translated, scale == nil ? weight : .init(samples: 0, total: 0))
            if number == old.count { old.append(0) }
            if let scale { old[number] += weight.total * scale }
        }
    }
}

/// Finds the parts of one profile in another.
private struct Translation {
    private let source: NamedProfile
    private var names: [NameTable.ID: NameTable.ID] = [:]

    init(_ source: NamedProfile) { self.source = source }

    mutating func name(_ id: NameTable.ID, in profile: inout NamedProfile) -> NameTable.ID {
        if let known = names[id] { return known }
        let name = profile.name(source.names[id])
        names[id] = name
        return name
    }

    /// By the source's nodes.
    mutating func nodes(in profile: inout NamedProfile) -> [UInt32] {
        let modules = source.modules.map { module in
            profile.number(of: .init(path: name(module.path, in: &profile), buildID: profile.noName))
        }
        let frames = source.frames.map { frame in
            // Addresses are others in each build, and nothing here needs them.
            profile.number(
                of: .init(
                    function: name(frame.function, in: &profile), symbol: name(frame.symbol, in: &profile),
                    module: frame.module.map { modules[Int($0)] }, file: name(frame.file, in: &profile),
                    line: frame.line, marks: frame.marks.subtracting(.exact)))
        }
        var nodes: [UInt32] = [0]
        for node in source.nodes.dropFirst() {
            nodes.append(profile.node(of: frames[Int(node.frame)], calledFrom: nodes[Int(node.parent)]))
        }
        return nodes
    }
}
