import KernelUnwinder
import Profile
import Symbols

/// Reads what ``CFICFormat`` wrote. The file may be hostile: everything is checked before it is used.
struct CFICReader {
    private var chunks: ChunkReader
    private var profile = NamedProfile(unit: .samples, event: "", seconds: 0)
    private var names: [NameTable.ID] = []
    /// By node.
    private var depths = [0]

    static func read(_ file: [UInt8]) throws(ProfileProblem) -> NamedProfile {
        var reader = CFICReader(chunks: try ChunkReader(file))
        try reader.readFacts()
        try reader.readNames()
        try reader.readModules()
        try reader.readFrames()
        try reader.readNodes()
        try reader.readStacks()
        try reader.readTimeline()
        try reader.chunks.finish()
        return reader.profile
    }

    private init(chunks: ChunkReader) { self.chunks = chunks }

    private mutating func readFacts() throws(ProfileProblem) {
        let unit = try chunks.index(below: NamedProfile.Unit.allCases.count, "unit")
        let includesWaits = try chunks.index(below: 2, "flag")
        let period = try chunks.number(upTo: UInt64(Int.max), "period")
        let frequency = try chunks.number(upTo: UInt64(Int.max), "frequency")
        let seconds = try chunks.double()
        guard seconds >= 0, seconds.isFinite else { throw chunks.problem("the duration is \(seconds)") }
        let lost = try chunks.number("number of lost samples")
        let event = try chunks.text(Int(try chunks.number(upTo: Self.textLimit, "length of the event")))
        profile = NamedProfile(
            unit: NamedProfile.Unit.allCases.first { $0.code == unit } ?? .samples, event: event, seconds: seconds)
        profile.includesWaits = includesWaits == 1
        profile.period = period == 0 ? nil : Int(period) - 1
        profile.frequency = frequency == 0 ? nil : Int(frequency) - 1
        profile.lostSamples = lost
    }

    /// Longer texts can't be in memory.
    private static let textLimit: UInt64 = 1 << 40

    private mutating func count(_ what: String) throws(ProfileProblem) -> Int {
        Int(try chunks.number(upTo: 1 << 32 - 2, "number of \(what)"))
    }

    /// Calls `read` for each of `count` elements. They are in the file, so memory for them is in proportion to it.
    private mutating func column<Element>(
        _ count: Int, _ read: (inout Self) throws(ProfileProblem) -> Element
    ) throws(ProfileProblem) -> [Element] {
        var column: [Element] = []
        for _ in 0..<count { column.append(try read(&self)) }
        return column
    }

    private mutating func readNames() throws(ProfileProblem) {
        let lengths = try column(try count("names")) { reader throws(ProfileProblem) in
            Int(try reader.chunks.number(upTo: Self.textLimit, "length of a name"))
        }
        guard lengths.first == 0 else { throw chunks.problem("the first name is not empty") }
        for length in lengths {
            let name = profile.name(try chunks.text(length))
            guard Int(name.number) == names.count else { throw chunks.problem("a name is there twice") }
            names.append(name)
        }
    }

    private mutating func name() throws(ProfileProblem) -> NameTable.ID {
        names[Int(try chunks.index(below: names.count, "name"))]
    }

    private mutating func readModules() throws(ProfileProblem) {
        for index in 0..<(try count("modules")) {
            let number = profile.number(of: NamedProfile.Module(path: try name(), buildID: try name()))
            guard number == index else { throw chunks.problem("a module is there twice") }
        }
    }

    private mutating func readFrames() throws(ProfileProblem) {
        let count = try count("frames"), modules = profile.modules.count
        let functions = try column(count) { reader throws(ProfileProblem) in try reader.name() }
        let symbols = try column(count) { reader throws(ProfileProblem) in
            try reader.chunks.index(below: reader.names.count + 1, "symbol")
        }
        let moduleNumbers = try column(count) { reader throws(ProfileProblem) in
            try reader.chunks.index(below: modules + 1, "module")
        }
        var last = [UInt64](repeating: 0, count: modules + 1)
        var addresses: [UInt64] = []
        for module in moduleNumbers {
            last[Int(module)] &+= UInt64(bitPattern: try chunks.signed("address"))
            addresses.append(last[Int(module)])
        }
        let files = try column(count) { reader throws(ProfileProblem) in try reader.name() }
        let lines = try column(count) { reader throws(ProfileProblem) in
            UInt32(try reader.chunks.number(upTo: UInt64(UInt32.max), "line"))
        }
        for index in 0..<count {
            let marks = NamedProfile.Marks(rawValue: UInt8(try chunks.number(upTo: 63, "marks")))
            let frame = NamedProfile.Frame(
                function: functions[index],
                symbol: symbols[index] == 0 ? functions[index] : names[Int(symbols[index]) - 1],
                module: moduleNumbers[index] == 0 ? nil : moduleNumbers[index] - 1, address: addresses[index],
                file: files[index], line: lines[index], marks: marks)
            guard profile.number(of: frame) == index else { throw chunks.problem("a frame is there twice") }
        }
    }

    private mutating func readNodes() throws(ProfileProblem) {
        let count = try count("nodes")
        var parents: [UInt32] = []
        for index in 0..<count {
            parents.append(UInt32(index) - (try chunks.index(below: index + 1, "distance to a caller")))
        }
        let frames = profile.frames.count
        for (index, parent) in parents.enumerated() {
            let number = profile.node(of: try chunks.index(below: frames, "frame"), calledFrom: parent)
            guard number == index + 1 else { throw chunks.problem("a node is there twice") }
            depths.append(depths[Int(parent)] + 1)
        }
    }

    private mutating func readStacks() throws(ProfileProblem) {
        let count = try count("stacks"), nodes = profile.nodes.count
        let ends = try column(count) { reader throws(ProfileProblem) in try reader.chunks.index(below: nodes, "node") }
        let processes = try column(count) { reader throws(ProfileProblem) in
            let process = try reader.chunks.signed("process")
            guard let process = Int32(exactly: process) else {
                throw reader.chunks.problem("process \(process) is out of bounds")
            }
            return process
        }
        let threads = try column(count) { reader throws(ProfileProblem) in try reader.name() }
        let cgroups = try column(count) { reader throws(ProfileProblem) in try reader.name() }
        let reasons = try column(count) { reader throws(ProfileProblem) in try reader.name() }
        let kinds = try column(count) { reader throws(ProfileProblem) in
            try reader.chunks.index(below: StackOutcome.allCases.count << 2, "kind of a stack")
        }
        let samples = try column(count) { reader throws(ProfileProblem) in
            Int(try reader.chunks.number(upTo: UInt64(Int.max), "number of samples"))
        }
        var limits = ProfileLimits()
        for index in 0..<count {
            let kind = kinds[index]
            let stack = NamedProfile.Stack(
                node: ends[index], process: processes[index], thread: threads[index], cgroup: cgroups[index],
                isWaiting: kind & 2 != 0, end: reasons[index],
                outcome: StackOutcome.allCases.first { $0.code == kind >> 2 } ?? .complete)
            let total =
                kind & 1 == 0 ? profile.usualWeight(stack, samples: samples[index]) : try chunks.double()
            if let problem = limits.add(depth: depths[Int(ends[index])], samples: samples[index], weight: total) {
                throw chunks.problem(problem)
            }
            guard profile.add(stack, .init(samples: samples[index], total: total)) == index else {
                throw chunks.problem("a stack is there twice")
            }
        }
    }

    private mutating func readTimeline() throws(ProfileProblem) {
        let kind = try chunks.number(upTo: 2, "kind of times")
        if kind == 0 { return }
        var anchor: Timeline.Anchor?
        if kind == 2 {
            anchor = Timeline.Anchor(
                monotonic: try chunks.number("time"), wall: try chunks.number("time"))
        }
        var timeline = Timeline(anchor: anchor), context = SampleContext(profile)
        var rest = try chunks.number("number of samples")
        while rest > 0 {
            let size = Int(min(rest, UInt64(SampleContext.blockSize)))
            try readSamples(size, &timeline, &context)
            rest -= UInt64(size)
        }
        profile.timeline = timeline
    }

    private mutating func readSamples(
        _ count: Int, _ timeline: inout Timeline, _ context: inout SampleContext
    ) throws(ProfileProblem) {
        let stacks = profile.stacks.count
        let cpus = try column(count) { reader throws(ProfileProblem) in
            let cpu = try reader.chunks.number(upTo: 1 << 16, "CPU")
            return cpu == 0 ? nil : UInt32(cpu) - 1
        }
        var times: [UInt64] = []
        for cpu in cpus { times.append(context.time(try chunks.signed("time"), cpu: cpu)) }
        let numbers = try column(count) { reader throws(ProfileProblem) in
            Int(try reader.chunks.index(below: stacks, "stack"))
        }
        var threads: [Int32] = []
        for number in numbers {
            guard let thread = context.thread(try chunks.signed("thread"), stack: number) else {
                throw chunks.problem("a thread's id is out of bounds")
            }
            threads.append(thread)
        }
        for index in 0..<count {
            let isWait = profile.stacks[numbers[index]].stack.isWaiting
            timeline.append(
                Timeline.Sample(
                    time: times[index], thread: threads[index], cpu: cpus[index], stack: numbers[index],
                    waited: isWait ? try chunks.number("length of a wait") : nil))
        }
    }
}
