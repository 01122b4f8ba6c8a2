import KernelUnwinder
import Symbols

/// A profile's stacks as a flame graph shows them: frames of the same function, found the same way, are one.
///
/// Weights are rounded to whole units.
struct FlameTree {
    typealias Marks = NamedProfile.Marks

    /// What one box shows.
    struct Function: Hashable {
        /// The empty name for ``truncated``.
        var name: NameTable.ID
        /// In ``NamedProfile/modules``.
        var module: UInt32?
        /// Without `exact`: the innermost frame of one stack is in the middle of another.
        var marks: Marks
    }

    /// Where in its source a function was seen.
    struct Lines {
        /// The empty name if it isn't known, or if there are several.
        var file: NameTable.ID
        /// 0 if not known.
        var first, last: UInt32
    }

    struct Node {
        /// Less than this node's own number.
        var parent: UInt32
        /// In ``functions``.
        var function: UInt32
        /// Of stacks that end here.
        var own = 0
        /// Of stacks that go through here, or end here.
        var total = 0
        /// Of those of them that waited.
        var waiting = 0
        /// ``total`` in the earlier profile, if two are compared.
        var old = 0
    }

    struct Stack {
        /// The innermost frame, in ``nodes``.
        var node: UInt32
        /// The number of the stack in the profile.
        var number: Int
    }

    /// In place of the frames that a truncated stack lacks.
    static let truncatedMark = Marks(rawValue: 128)

    private(set) var functions: [Function] = []
    /// By function.
    private(set) var lines: [Lines] = []
    /// The first is the root. Parents come before their children.
    private(set) var nodes = [Node(parent: 0, function: 0)]
    /// Those with samples, in the profile's order.
    private(set) var stacks: [Stack] = []

    /// - Parameter old: the weights in an earlier profile, by stack, if two are compared.
    init(_ profile: NamedProfile, old: [Double] = []) {
        let functionOfFrame = mergeFrames(profile)
        let isShown = profile.stacks.indices.map {
            profile.stacks[$0].weight.samples > 0 || !old.isEmpty && old[$0] > 0
        }
        let whole = merge(profile, functionOfFrame, isShown, truncated: false)
        let truncated = merge(profile, functionOfFrame, isShown, truncated: true)
        for (number, (stack, weight)) in profile.stacks.enumerated() where isShown[number] {
            let node = (stack.outcome == .truncated ? truncated : whole)[Int(stack.node)]
            stacks.append(Stack(node: node, number: number))
            Self.add(Self.whole(weight.total), to: &nodes[Int(node)].own)
            if stack.isWaiting { Self.add(Self.whole(weight.total), to: &nodes[Int(node)].waiting) }
            if !old.isEmpty { Self.add(Self.whole(old[number]), to: &nodes[Int(node)].old) }
        }
        sum()
    }

    private mutating func sum() {
        for index in nodes.indices.dropFirst().reversed() {
            let parent = Int(nodes[index].parent)
            Self.add(nodes[index].own, to: &nodes[index].total)
            Self.add(nodes[index].total, to: &nodes[parent].total)
            Self.add(nodes[index].waiting, to: &nodes[parent].waiting)
            Self.add(nodes[index].old, to: &nodes[parent].old)
        }
        Self.add(nodes[0].own, to: &nodes[0].total)
    }

    private static func add(_ weight: Int, to sum: inout Int) {
        let (result, overflow) = sum.addingReportingOverflow(weight)
        sum = overflow ? .max : result
    }

    /// A weight in whole units; what isn't a number, or exceeds all time, counts as nothing.
    static func whole(_ weight: Double) -> Int { max(0, Int(exactly: weight.rounded()) ?? 0) }

    /// The function of each frame.
    private mutating func mergeFrames(_ profile: NamedProfile) -> [UInt32] {
        var numbers: [Function: UInt32] = [:]
        return profile.frames.map { frame in
            let function = Function(
                name: frame.function, module: frame.module, marks: frame.marks.subtracting(.exact))
            guard let known = numbers[function] else {
                let number = add(function, Lines(file: frame.file, first: frame.line, last: frame.line))
                numbers[function] = number
                return number
            }
            lines[Int(known)].add(frame, noName: profile.noName)
            return known
        }
    }

    private mutating func add(_ function: Function, _ lines: Lines) -> UInt32 {
        functions.append(function)
        self.lines.append(lines)
        return UInt32(functions.count - 1)
    }

    /// Adds the nodes of those stacks that are truncated, or of the others.
    ///
    /// - Returns: the node here for a node of the profile, if one of these stacks has it.
    private mutating func merge(
        _ profile: NamedProfile, _ functionOfFrame: [UInt32], _ isShown: [Bool], truncated: Bool
    ) -> [UInt32] {
        var isUsed = [Bool](repeating: false, count: profile.nodes.count)
        for (number, (stack, _)) in profile.stacks.enumerated()
        where isShown[number] && (stack.outcome == .truncated) == truncated {
            isUsed[Int(stack.node)] = true
        }
        var merged = [UInt32](repeating: 0, count: profile.nodes.count)
        guard isUsed.contains(true) else { return merged }
        for index in profile.nodes.indices.dropFirst().reversed() where isUsed[index] {
            isUsed[Int(profile.nodes[index].parent)] = true
        }
        if truncated {
            let mark = add(
                Function(name: profile.noName, module: nil, marks: Self.truncatedMark),
                Lines(file: profile.noName, first: 0, last: 0))
            nodes.append(Node(parent: 0, function: mark))
            merged[0] = UInt32(nodes.count - 1)
        }
        /// A parent and a function, in one word, which hashes faster.
        var numbers: [UInt64: UInt32] = [:]
        for index in profile.nodes.indices.dropFirst() where isUsed[index] {
            let node = profile.nodes[index]
            let (parent, function) = (merged[Int(node.parent)], functionOfFrame[Int(node.frame)])
            let key = UInt64(parent) << 32 | UInt64(function)
            if let known = numbers[key] {
                merged[index] = known
            } else {
                merged[index] = UInt32(nodes.count)
                numbers[key] = merged[index]
                nodes.append(Node(parent: parent, function: function))
            }
        }
        return merged
    }
}

extension FlameTree.Lines {
    fileprivate mutating func add(_ frame: NamedProfile.Frame, noName: NameTable.ID) {
        if frame.file != file {
            self = Self(file: noName, first: 0, last: 0)
        } else if frame.line > 0 {
            first = first == 0 ? frame.line : min(first, frame.line)
            last = max(last, frame.line)
        }
    }
}

extension FlameTree {
    /// Visits all nodes but the root, parents before their children, and these one after the other.
    ///
    /// - Parameter visit: takes a node, and how many frames its parent is above the node that was visited before: 0 for a
    ///   child of that.
    func visit(_ visit: (_ node: Int, _ levelsUp: Int) -> Void) {
        let children = NodeChildren(nodes.lazy.map(\.parent))
        var pending: [(node: UInt32, depth: Int)] = children[0].reversed().map { ($0, 1) }
        var previousDepth = 0
        while let (node, depth) = pending.popLast() {
            visit(Int(node), previousDepth + 1 - depth)
            previousDepth = depth
            for child in children[Int(node)].reversed() { pending.append((child, depth + 1)) }
        }
    }
}
