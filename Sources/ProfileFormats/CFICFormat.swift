import Files
import KernelUnwinder
import Profile
import Symbols

/// What was recorded, in cfic's own format: addresses, build ids, names and times, to be read again by ``ProfileReader``.
/// docs/profile-format.md defines it.
public struct CFICFormat: NamedProfileFormat {
    public let tellsProcessesApart = true
    public let needsTimes = true

    /// The format has no options.
    public init() {}

    /// - Throws: if there is no memory to compress it.
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        var chunks = try ChunkWriter()
        chunks.facts(of: profile)
        chunks.names(of: profile)
        chunks.code(of: profile)
        chunks.stacks(of: profile)
        chunks.timeline(of: profile)
        chunks.take().withUnsafeBytes { output.write($0) }
    }
}

/// The parts of a .cfic file, which ``CFICReader`` reads in the same order.
extension ChunkWriter {
    mutating func facts(of profile: NamedProfile) {
        number(profile.unit.code)
        number(profile.includesWaits ? 1 : 0)
        number(profile.period.map { $0 + 1 } ?? 0)
        number(profile.frequency.map { $0 + 1 } ?? 0)
        double(profile.seconds)
        number(profile.lostSamples)
        number(profile.event.utf8.count)
        text(profile.event)
    }

    mutating func names(of profile: NamedProfile) {
        column(profile.names.all) { $0.number($1.utf8.count) }
        for name in profile.names.all {
            text(name)
            flushIfLong()
        }
    }

    /// Modules, frames and nodes.
    mutating func code(of profile: NamedProfile) {
        column(profile.modules) {
            $0.number(Int($1.path.number))
            $0.number(Int($1.buildID.number))
        }
        let frames = profile.frames
        column(frames) { $0.number(Int($1.function.number)) }
        // 0: the same as the function.
        each(frames) { $0.number($1.symbol == $1.function ? 0 : Int($1.symbol.number) + 1) }
        each(frames) { $0.number($1.module.map { Int($0) + 1 } ?? 0) }
        var last = [UInt64](repeating: 0, count: profile.modules.count + 1)
        each(frames) {
            let module = $1.module.map { Int($0) + 1 } ?? 0
            $0.signed(Int64(bitPattern: $1.address &- last[module]))
            last[module] = $1.address
        }
        each(frames) { $0.number(Int($1.file.number)) }
        each(frames) { $0.number(Int($1.line)) }
        each(frames) { $0.number(Int($1.marks.rawValue)) }
        let nodes = profile.nodes.dropFirst()
        column(nodes.indices) { $0.number($1 - Int(profile.nodes[$1].parent) - 1) }
        each(nodes) { $0.number(Int($1.frame)) }
    }

    mutating func stacks(of profile: NamedProfile) {
        let stacks = profile.stacks
        column(stacks) { $0.number(Int($1.stack.node)) }
        each(stacks) { $0.signed(Int64($1.stack.process)) }
        each(stacks) { $0.number(Int($1.stack.thread.number)) }
        each(stacks) { $0.number(Int($1.stack.cgroup.number)) }
        each(stacks) { $0.number(Int($1.stack.end.number)) }
        each(stacks) {
            let isUsual = profile.usualWeight($1.stack, samples: $1.weight.samples) == $1.weight.total
            $0.number($1.stack.outcome.code << 2 | ($1.stack.isWaiting ? 2 : 0) | (isUsual ? 0 : 1))
        }
        each(stacks) { $0.number($1.weight.samples) }
        each(stacks) {
            if profile.usualWeight($1.stack, samples: $1.weight.samples) != $1.weight.total {
                $0.double($1.weight.total)
            }
        }
    }

    mutating func timeline(of profile: NamedProfile) {
        guard let timeline = profile.timeline else { return number(0) }
        number(timeline.anchor == nil ? 1 : 2)
        if let anchor = timeline.anchor {
            number(anchor.monotonic)
            number(anchor.wall)
        }
        let samples = timeline.sorted
        number(samples.count)
        var context = SampleContext(profile)
        for start in stride(from: 0, to: samples.count, by: SampleContext.blockSize) {
            let block = samples[start..<min(start + SampleContext.blockSize, samples.count)]
            each(block) { $0.number($1.cpu.map { Int($0) + 1 } ?? 0) }
            each(block) { $0.signed(context.timeDifference($1.time, cpu: $1.cpu)) }
            each(block) { $0.number($1.stack) }
            each(block) { $0.signed(context.threadDifference($1.thread, stack: $1.stack)) }
            each(block) { if profile.stacks[$1.stack].stack.isWaiting { $0.number($1.waited ?? 0) } }
        }
    }

    /// The number of elements, and each of them.
    private mutating func column<Elements: Collection>(
        _ elements: Elements, _ write: (inout ChunkWriter, Elements.Element) -> Void
    ) {
        number(elements.count)
        each(elements, write)
    }

    private mutating func each<Elements: Collection>(
        _ elements: Elements, _ write: (inout ChunkWriter, Elements.Element) -> Void
    ) {
        for element in elements {
            write(&self, element)
            flushIfLong()
        }
    }
}

/// What is known of a sample from those before it, so that only differences are written.
struct SampleContext {
    /// The samples whose columns are together.
    static let blockSize = 1 << 15

    /// By CPU plus 1, or 0 if that isn't known: the time of its last sample, and the difference to the one before.
    private var times: [(last: UInt64, difference: UInt64)] = []
    /// By stack: the thread that had it last; at first the process.
    private var threads: [Int32]

    init(_ profile: NamedProfile) { threads = profile.stacks.map { $0.stack.process } }

    private mutating func index(of cpu: UInt32?) -> Int {
        let index = cpu.map { Int($0) + 1 } ?? 0
        while index >= times.count { times.append((0, 0)) }
        return index
    }

    /// Of a time from what it would be if samples were taken regularly.
    mutating func timeDifference(_ time: UInt64, cpu: UInt32?) -> Int64 {
        let index = index(of: cpu), (last, difference) = times[index]
        times[index] = (time, time &- last)
        return Int64(bitPattern: time &- last &- difference)
    }

    /// The time with this difference.
    mutating func time(_ difference: Int64, cpu: UInt32?) -> UInt64 {
        let index = index(of: cpu), (last, before) = times[index]
        let time = last &+ before &+ UInt64(bitPattern: difference)
        times[index] = (time, time &- last)
        return time
    }

    mutating func threadDifference(_ thread: Int32, stack: Int) -> Int64 {
        defer { threads[stack] = thread }
        return Int64(thread) - Int64(threads[stack])
    }

    /// The thread with this difference; nil if there is none.
    mutating func thread(_ difference: Int64, stack: Int) -> Int32? {
        let (sum, overflow) = Int64(threads[stack]).addingReportingOverflow(difference)
        guard !overflow, let thread = Int32(exactly: sum) else { return nil }
        threads[stack] = thread
        return thread
    }
}

extension NamedProfile {
    /// What a stack weighs if all of its samples weigh the same; of waits, nothing.
    func usualWeight(_ stack: Stack, samples: Int) -> Double {
        switch unit {
        case .samples: Double(samples)
        case .events: Double(samples) * Double(period ?? 1)
        case .nanoseconds: stack.isWaiting ? 0 : Double(samples) * 1e9 / Double(frequency ?? 1)
        }
    }
}

extension NamedProfile.Unit {
    /// In .cfic files.
    var code: Int {
        switch self {
        case .samples: 0
        case .nanoseconds: 1
        case .events: 2
        }
    }
}

extension StackOutcome {
    /// In .cfic files.
    var code: Int {
        switch self {
        case .complete: 0
        case .guessed: 1
        case .truncated: 2
        }
    }
}
