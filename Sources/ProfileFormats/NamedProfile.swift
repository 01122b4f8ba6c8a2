import KernelUnwinder
import Profile
import Symbols

/// A profile with names, independent of how it was recorded: what formats write.
///
/// Stacks share their outermost frames: they are paths in a tree. Names, modules, frames and nodes are referred to by number.
/// They are as they were found; a text format makes them printable (`PrintableText`).
public struct NamedProfile: Sendable {
    /// What a weight counts.
    public enum Unit: String, Sendable, CaseIterable {
        /// Samples.
        case samples
        /// The time of waits, and of running threads if they were sampled, too.
        case nanoseconds
        /// Events that samples stand for.
        case events
    }

    /// A file that code is in, or memory without one.
    public struct Module: Hashable, Sendable {
        /// Its path; a name in brackets, such as `[kernel]` or `[anonymous]`, if it isn't a file.
        public var path: NameTable.ID
        /// In lowercase hexadecimal digits; the empty name if it has none.
        public var buildID: NameTable.ID

        /// A module of these names.
        public init(path: NameTable.ID, buildID: NameTable.ID) { (self.path, self.buildID) = (path, buildID) }
    }

    /// What else is known of a frame.
    public struct Marks: OptionSet, Hashable, Sendable {
        /// A bit for each mark.
        public let rawValue: UInt8
        /// The marks of these bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Code of the kernel.
        public static let kernel = Marks(rawValue: 1)
        /// Found without a rule, or by way of such a frame.
        public static let guessed = Marks(rawValue: 2)
        /// The code that would confirm the guess could not be read.
        public static let unchecked = Marks(rawValue: 4)
        /// Found in user space, after the kernel's walk.
        public static let finished = Marks(rawValue: 8)
        /// Inlined: it has no frame of its own at run time.
        public static let inlined = Marks(rawValue: 16)
        /// Its address is where it stopped. Otherwise it is a return address, the byte after a call.
        public static let exact = Marks(rawValue: 32)
        /// Found by a rule that was made from instructions, as no call frame information covers its callee's code.
        public static let inferred = Marks(rawValue: 64)
    }

    /// A function at a place in its code.
    public struct Frame: Hashable, Sendable {
        /// As people know it: docs/names.md.
        public var function: NameTable.ID
        /// The symbol that the function's name was demangled from; else the function's name.
        public var symbol: NameTable.ID
        /// In ``NamedProfile/modules``; nil if it isn't known.
        public var module: UInt32?
        /// SVMA in the module's file; an address of the process or the kernel if that isn't a file; 0 if it isn't known.
        public var address: UInt64 = 0
        /// The source file; the empty name if it isn't known.
        public var file: NameTable.ID
        /// From 1; 0 if it isn't known.
        public var line: UInt32 = 0
        /// What else is known of it.
        public var marks: Marks = []

        /// A frame of these parts.
        public init(
            function: NameTable.ID, symbol: NameTable.ID, module: UInt32?, address: UInt64 = 0, file: NameTable.ID,
            line: UInt32 = 0, marks: Marks = []
        ) {
            (self.function, self.symbol, self.module, self.address) = (function, symbol, module, address)
            (self.file, self.line, self.marks) = (file, line, marks)
        }
    }

    /// A frame called from its parent.
    public struct Node: Hashable, Sendable {
        /// In ``NamedProfile/nodes``; less than this node's own number.
        public var parent: UInt32
        /// In ``NamedProfile/frames``.
        public var frame: UInt32
    }

    /// What a stack is of, besides its frames.
    public struct Stack: Hashable, Sendable {
        /// Where its process had mapped the code, in ``NamedProfile/spaces``; 0 if that isn't known.
        public var space: UInt32 = 0
        /// The innermost frame, of ``NamedProfile/nodes``; 0 if there are no frames.
        public var node: UInt32
        /// 0 if processes are not told apart.
        public var process: Int32
        /// The thread's name.
        public var thread: NameTable.ID
        /// The path of its cgroup, of version 2; the empty name if it isn't known.
        public var cgroup: NameTable.ID
        /// Whether the thread waited, rather than running.
        public var isWaiting: Bool
        /// How the walk ended, by its name in docs/stack-ends.md, with the table's reason after a colon if that ended it.
        public var end: NameTable.ID
        /// How much of the stack is known.
        public var outcome: StackOutcome

        /// A stack of these parts.
        public init(
            node: UInt32, process: Int32, space: UInt32 = 0, thread: NameTable.ID, cgroup: NameTable.ID,
            isWaiting: Bool, end: NameTable.ID, outcome: StackOutcome
        ) {
            (self.node, self.process, self.space) = (node, process, space)
            (self.thread, self.cgroup) = (thread, cgroup)
            (self.isWaiting, self.end, self.outcome) = (isWaiting, end, outcome)
        }
    }

    /// How often a stack was sampled.
    public struct Weight: Hashable, Sendable {
        /// The number of samples.
        public var samples: Int
        /// In ``NamedProfile/unit``.
        public var total: Double

        /// A weight of these parts.
        public init(samples: Int, total: Double) { (self.samples, self.total) = (samples, total) }
    }

    /// The unit of weights.
    public var unit: Unit
    /// What triggered samples of running threads, by its name; empty if only waits were sampled.
    public var event: String
    /// N, if each Nth event triggered a sample.
    public var period: Int?
    /// Samples per second on each CPU, if there is no period.
    public var frequency: Int?
    /// Whether waits were sampled.
    public var includesWaits = false
    /// The duration of sampling.
    public var seconds: Double
    /// Samples that were taken, but could not be read.
    public var lostSamples: UInt64 = 0

    /// All names.
    public private(set) var names = NameTable()
    /// Different ones, in the order in which they were added.
    public private(set) var modules: [Module] = []
    /// Different ones, in the order in which they were added.
    public private(set) var frames: [Frame] = []
    /// The first is the root, which stands for no frame. Parents come before their children.
    public private(set) var nodes = [Node(parent: 0, frame: 0)]
    /// Different ones, in the order in which they were added.
    public private(set) var pieces: [Piece] = []
    /// Address spaces: what stacks of a process went through, by rising address, without overlaps. The first has no mappings.
    public private(set) var spaces: [[Mapping]] = [[]]
    /// Different ones, in the order in which they were added.
    public private(set) var stacks: [(stack: Stack, weight: Weight)] = []
    /// When samples were taken: their stacks are indices in ``stacks``. Nil if that isn't known.
    public var timeline: Timeline?
    /// The name that stands for none.
    public let noName: NameTable.ID

    private var moduleNumbers: [Module: UInt32] = [:]
    private var frameNumbers: [Frame: UInt32] = [:]
    private var nodeNumbers: [Node: UInt32] = [:]
    private var stackNumbers: [Stack: Int] = [:]
    private var pieceNumbers: [Piece: UInt32] = [:]
    private var spaceNumbers: [[Mapping]: UInt32] = [[]: 0]

    /// A profile without samples.
    public init(unit: Unit, event: String, seconds: Double) {
        (self.unit, self.event, self.seconds) = (unit, event, seconds)
        noName = names.intern("")
    }

    /// The number of a name, which is added if it is new.
    public mutating func name(_ name: String) -> NameTable.ID { names.intern(name) }

    /// The number of a module, which is added if it is new.
    public mutating func number(of module: Module) -> UInt32 {
        Self.number(of: module, &modules, &moduleNumbers)
    }

    /// The number of a frame, which is added if it is new.
    public mutating func number(of frame: Frame) -> UInt32 { Self.number(of: frame, &frames, &frameNumbers) }

    /// The number of the node for a frame called from another node, which is added if it is new.
    public mutating func node(of frame: UInt32, calledFrom parent: UInt32) -> UInt32 {
        Self.number(of: Node(parent: parent, frame: frame), &nodes, &nodeNumbers)
    }

    /// The number of a piece, which is added if it is new.
    public mutating func number(of piece: Piece) -> UInt32 { Self.number(of: piece, &pieces, &pieceNumbers) }

    /// The number of the address space with these mappings, which is added if it is new.
    ///
    /// - Parameter mappings: in any order. Of two that overlap, one counts.
    public mutating func space(of mappings: [Mapping]) -> UInt32 {
        var space: [Mapping] = []
        for mapping in mappings.sorted(by: { ($0.page, $0.piece) < ($1.page, $1.piece) }) {
            if let last = space.last, mapping.start - last.start < pieces[Int(last.piece)].size { continue }
            space.append(mapping)
        }
        return Self.number(of: space, &spaces, &spaceNumbers)
    }

    /// Adds samples of a stack.
    ///
    /// - Returns: its index in ``stacks``.
    @discardableResult
    public mutating func add(_ stack: Stack, _ weight: Weight) -> Int {
        if let known = stackNumbers[stack] {
            stacks[known].weight.samples += weight.samples
            stacks[known].weight.total += weight.total
            return known
        }
        stackNumbers[stack] = stacks.count
        stacks.append((stack, weight))
        return stacks.count - 1
    }

    /// The weight of one sample of the ``timeline``, in ``unit``.
    public func weight(of sample: Timeline.Sample) -> Double {
        if let waited = sample.waited { return Double(waited) }
        // Samples of running threads all weigh the same.
        let weight = stacks[sample.stack].weight
        return weight.total / Double(max(1, weight.samples))
    }

    private static func number<Element: Hashable>(
        of element: Element, _ all: inout [Element], _ numbers: inout [Element: UInt32]
    ) -> UInt32 {
        if let known = numbers[element] { return known }
        let number = UInt32(all.count)
        numbers[element] = number
        all.append(element)
        return number
    }

    /// The frames of a node and those that it was called from, innermost first.
    public func frames(from node: UInt32) -> some Sequence<Frame> {
        sequence(state: node) { node -> Frame? in
            guard node != 0 else { return nil }
            defer { node = nodes[Int(node)].parent }
            return frames[Int(nodes[Int(node)].frame)]
        }
    }

    /// Calls `body` with the numbers of the frames at each place in the code, innermost first, from a node to the outermost: an
    /// inlined frame is at the place of the one that it is inlined in.
    func eachPlace(from node: UInt32, _ body: ([UInt32]) -> Void) {
        var (node, here) = (node, [UInt32]())
        while node != 0 {
            let (frame, parent) = (nodes[Int(node)].frame, nodes[Int(node)].parent)
            here.append(frame)
            if !frames[Int(frame)].marks.contains(.inlined) || parent == 0 {
                body(here)
                here.removeAll(keepingCapacity: true)
            }
            node = parent
        }
    }

    /// The weights of all stacks together.
    public var total: Weight {
        stacks.reduce(into: Weight(samples: 0, total: 0)) {
            $0.samples += $1.weight.samples
            $0.total += $1.weight.total
        }
    }
}
