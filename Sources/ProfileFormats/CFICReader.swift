import KernelUnwinder
import Profile
import Symbols

/// Reads what ``CFICFormat`` wrote. The file may be hostile: everything is checked before it is used.
struct CFICReader {
    private var numbers: NumberReader
    private var profile = NamedProfile(unit: .samples, event: "", seconds: 0)
    private var names: [NameTable.ID] = []

    static func read(_ file: [UInt8]) throws(ProfileProblem) -> NamedProfile {
        var reader = CFICReader(numbers: try NumberReader(file))
        try reader.readFacts()
        try reader.readNames()
        try reader.readModules()
        try reader.readStacks()
        try reader.readTimeline()
        try reader.numbers.finish()
        return reader.profile
    }

    private init(numbers: NumberReader) { self.numbers = numbers }

    private mutating func readFacts() throws(ProfileProblem) {
        let unit = try numbers.index(below: NamedProfile.Unit.allCases.count, "unit")
        let includesWaits = try numbers.index(below: 2, "flag")
        let period = try numbers.number(upTo: UInt64(Int.max), "period")
        let frequency = try numbers.number(upTo: UInt64(Int.max), "frequency")
        let seconds = try numbers.double()
        guard seconds >= 0, seconds.isFinite else { throw numbers.problem("the duration is \(seconds)") }
        let lost = try numbers.number("number of lost samples")
        profile = NamedProfile(
            unit: NamedProfile.Unit.allCases.first { $0.code == unit } ?? .samples, event: try numbers.text(),
            seconds: seconds)
        profile.includesWaits = includesWaits == 1
        profile.period = period == 0 ? nil : Int(period) - 1
        profile.frequency = frequency == 0 ? nil : Int(frequency) - 1
        profile.lostSamples = lost
    }

    private mutating func readNames() throws(ProfileProblem) {
        for index in 0..<(try numbers.count("names")) {
            let name = profile.name(try numbers.text())
            // The empty one is there from the beginning.
            guard Int(name.number) == index else {
                throw numbers.problem(index == 0 ? "the first name is not empty" : "a name is there twice")
            }
            names.append(name)
        }
        guard !names.isEmpty else { throw numbers.problem("there are no names") }
    }

    private mutating func readModules() throws(ProfileProblem) {
        for index in 0..<(try numbers.count("modules")) {
            let module = NamedProfile.Module(path: try numbers.name(of: names), buildID: try numbers.name(of: names))
            guard profile.number(of: module) == index else { throw numbers.problem("a module is there twice") }
        }
    }

    private mutating func readStacks() throws(ProfileProblem) {
        let count = try numbers.count("stacks"), names = names
        let (nodes, depths) = try CFICCodeReader.read(count, from: &numbers, names: names, into: &profile)
        let tasks = try readTasks(of: count)
        let ends = try numbers.column(count) { numbers throws(ProfileProblem) in try numbers.name(of: names) }
        let kinds = try numbers.column(count) { numbers throws(ProfileProblem) in
            UInt8(try numbers.index(below: StackOutcome.allCases.count << 2, "kind of a stack"))
        }
        let samples = try numbers.column(count) { numbers throws(ProfileProblem) in
            Int(try numbers.number(upTo: UInt64(Int.max), "number of samples"))
        }
        var limits = ProfileLimits()
        for index in 0..<count {
            let kind = kinds[index], task = tasks[index]
            let stack = NamedProfile.Stack(
                node: nodes[index], process: task.process, space: task.space, thread: task.thread,
                cgroup: task.cgroup, isWaiting: kind & 2 != 0, end: ends[index],
                outcome: StackOutcome.allCases.first { $0.code == kind >> 2 } ?? .complete)
            let total =
                kind & 1 == 0 ? profile.usualWeight(stack, samples: samples[index]) : try numbers.double()
            if let problem = limits.add(depth: Int(depths[Int(nodes[index])]), samples: samples[index], weight: total) {
                throw numbers.problem(problem)
            }
            guard profile.add(stack, .init(samples: samples[index], total: total)) == index else {
                throw numbers.problem("a stack is there twice")
            }
        }
    }

    private struct Task {
        var process: Int32
        var space: UInt32
        var thread, cgroup: NameTable.ID
    }

    /// The tasks of stacks.
    private mutating func readTasks(of count: Int) throws(ProfileProblem) -> [Task] {
        var indices: [Int] = [], taskCount = 0
        for stack in 0..<count {
            let distance = Int(try numbers.index(below: stack + 1, "distance to a stack with the same task"))
            indices.append(distance == 0 ? taskCount : indices[stack - distance])
            if distance == 0 { taskCount += 1 }
        }
        var process: Int64 = 0
        let names = names
        let processes = try numbers.column(taskCount) { numbers throws(ProfileProblem) in
            let (sum, overflow) = process.addingReportingOverflow(try numbers.signed("process"))
            process = sum
            guard !overflow, let number = Int32(exactly: sum) else {
                throw numbers.problem("a process's id is out of bounds")
            }
            return number
        }
        let threads = try numbers.column(taskCount) { numbers throws(ProfileProblem) in
            try numbers.name(of: names)
        }
        let cgroups = try numbers.column(taskCount) { numbers throws(ProfileProblem) in
            try numbers.name(of: names)
        }
        let spaces = try CFICSpaceReader.read(taskCount, from: &numbers, into: &profile)
        return indices.map {
            Task(process: processes[$0], space: spaces[$0], thread: threads[$0], cgroup: cgroups[$0])
        }
    }

    private mutating func readTimeline() throws(ProfileProblem) {
        let kind = try numbers.number(upTo: 2, "kind of times")
        if kind == 0 { return }
        var anchor: Timeline.Anchor?
        if kind == 2 {
            anchor = Timeline.Anchor(
                monotonic: try numbers.number("time"), wall: try numbers.number("time"))
        }
        var timeline = Timeline(anchor: anchor), context = SampleContext(profile)
        var rest = try numbers.number("number of samples")
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
        let cpus = try numbers.column(count) { numbers throws(ProfileProblem) in
            let cpu = try numbers.number(upTo: 1 << 16, "CPU")
            return cpu == 0 ? nil : UInt32(cpu) - 1
        }
        let periods =
            context.period == 0
            ? [Int64](repeating: 0, count: count)
            : try numbers.column(count) { numbers throws(ProfileProblem) in try numbers.signed("periods") }
        var times: [UInt64] = [], stacks: [Int] = [], threads: [Int32] = []
        for index in 0..<count {
            let rest = try numbers.signed("time")
            guard let time = context.time(periods: periods[index], rest: rest, cpu: cpus[index]) else {
                throw numbers.problem("a time is out of bounds")
            }
            times.append(time)
        }
        for _ in 0..<count {
            guard let stack = context.stack(try numbers.number("stack")) else {
                throw numbers.problem("a sample's stack is out of bounds")
            }
            stacks.append(stack)
        }
        for stack in stacks {
            guard let thread = context.thread(try numbers.signed("thread"), stack: stack) else {
                throw numbers.problem("a thread's id is out of bounds")
            }
            threads.append(thread)
        }
        for index in 0..<count {
            let isWait = profile.stacks[stacks[index]].stack.isWaiting
            timeline.append(
                Timeline.Sample(
                    time: times[index], thread: threads[index], cpu: cpus[index], stack: stacks[index],
                    waited: isWait ? try numbers.number("length of a wait") : nil))
        }
    }
}

extension NumberReader {
    /// How many elements a list has. They are in the file, so memory for them is in proportion to it.
    mutating func count(_ what: String) throws(ProfileProblem) -> Int {
        Int(try number(upTo: 1 << 32 - 2, "number of \(what)"))
    }

    /// Calls `read` for each of `count` elements.
    mutating func column<Element>(
        _ count: Int, _ read: (inout Self) throws(ProfileProblem) -> Element
    ) throws(ProfileProblem) -> [Element] {
        var column: [Element] = []
        for _ in 0..<count { column.append(try read(&self)) }
        return column
    }

    /// A name, by its number.
    mutating func name(of names: [NameTable.ID]) throws(ProfileProblem) -> NameTable.ID {
        names[Int(try index(below: names.count, "name"))]
    }
}
