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
        var chunks = try ChunkWriter(to: &output)
        chunks.facts(of: profile)
        chunks.names(of: profile, to: &output)
        chunks.code(of: profile, to: &output)
        chunks.stacks(of: profile, to: &output)
        chunks.timeline(of: profile, to: &output)
        chunks.finish(to: &output)
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

    mutating func names(of profile: NamedProfile, to output: inout some ByteSink) {
        column(profile.names.all, to: &output) { $0.number($1.utf8.count) }
        for name in profile.names.all {
            text(name)
            flushIfLong(to: &output)
        }
    }

    /// Modules, frames and nodes.
    mutating func code(of profile: NamedProfile, to output: inout some ByteSink) {
        column(profile.modules, to: &output) {
            $0.number(Int($1.path.number))
            $0.number(Int($1.buildID.number))
        }
        let frames = profile.frames
        column(frames, to: &output) { $0.number(Int($1.function.number)) }
        // 0: the same as the function.
        each(frames, to: &output) { $0.number($1.symbol == $1.function ? 0 : Int($1.symbol.number) + 1) }
        each(frames, to: &output) { $0.number($1.module.map { Int($0) + 1 } ?? 0) }
        var last = [UInt64](repeating: 0, count: profile.modules.count + 1)
        each(frames, to: &output) {
            let module = $1.module.map { Int($0) + 1 } ?? 0
            $0.signed(Int64(bitPattern: $1.address &- last[module]))
            last[module] = $1.address
        }
        each(frames, to: &output) { $0.number(Int($1.file.number)) }
        each(frames, to: &output) { $0.number(Int($1.line)) }
        each(frames, to: &output) { $0.number(Int($1.marks.rawValue)) }
        let nodes = profile.nodes.dropFirst()
        column(nodes.indices, to: &output) { $0.number($1 - Int(profile.nodes[$1].parent) - 1) }
        each(nodes, to: &output) { $0.number(Int($1.frame)) }
    }

    mutating func stacks(of profile: NamedProfile, to output: inout some ByteSink) {
        let stacks = profile.stacks
        column(stacks, to: &output) { $0.number(Int($1.stack.node)) }
        each(stacks, to: &output) { $0.signed(Int64($1.stack.process)) }
        each(stacks, to: &output) { $0.number(Int($1.stack.thread.number)) }
        each(stacks, to: &output) { $0.number(Int($1.stack.cgroup.number)) }
        each(stacks, to: &output) { $0.number(Int($1.stack.end.number)) }
        each(stacks, to: &output) {
            let isUsual = profile.usualWeight($1.stack, samples: $1.weight.samples) == $1.weight.total
            $0.number($1.stack.outcome.code << 2 | ($1.stack.isWaiting ? 2 : 0) | (isUsual ? 0 : 1))
        }
        each(stacks, to: &output) { $0.number($1.weight.samples) }
        each(stacks, to: &output) {
            if profile.usualWeight($1.stack, samples: $1.weight.samples) != $1.weight.total {
                $0.double($1.weight.total)
            }
        }
    }

    mutating func timeline(of profile: NamedProfile, to output: inout some ByteSink) {
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
            each(block, to: &output) { $0.number($1.cpu.map { Int($0) + 1 } ?? 0) }
            each(block, to: &output) { $0.signed(context.timeDifference($1.time, cpu: $1.cpu)) }
            each(block, to: &output) { $0.number($1.stack) }
            each(block, to: &output) { $0.signed(context.threadDifference($1.thread, stack: $1.stack)) }
            each(block, to: &output) { if profile.stacks[$1.stack].stack.isWaiting { $0.number($1.waited ?? 0) } }
        }
    }

    /// The number of elements, and each of them.
    private mutating func column<Elements: Collection>(
        _ elements: Elements, to output: inout some ByteSink, _ write: (inout ChunkWriter, Elements.Element) -> Void
    ) {
        number(elements.count)
        each(elements, to: &output, write)
    }

    private mutating func each<Elements: Collection>(
        _ elements: Elements, to output: inout some ByteSink, _ write: (inout ChunkWriter, Elements.Element) -> Void
    ) {
        for element in elements {
            write(&self, element)
            flushIfLong(to: &output)
        }
    }
}

/// What is known of a sample from those before it, so that only differences are written.
struct SampleContext {
    /// The samples whose columns are together.
    static let blockSize = 1 << 15

    /// By CPU: the time of its last sample, and the difference to the one before.
    private var times: [UInt32?: (last: UInt64, difference: UInt64)] = [:]
    /// By stack: the thread that had it last; at first the process.
    private var threads: [Int32]

    init(_ profile: NamedProfile) { threads = profile.stacks.map { $0.stack.process } }

    /// Of a time from what it would be if samples were taken regularly.
    mutating func timeDifference(_ time: UInt64, cpu: UInt32?) -> Int64 {
        let (last, difference) = times[cpu] ?? (0, 0)
        times[cpu] = (time, time &- last)
        return Int64(bitPattern: time &- last &- difference)
    }

    /// The time with this difference.
    mutating func time(_ difference: Int64, cpu: UInt32?) -> UInt64 {
        let (last, before) = times[cpu] ?? (0, 0)
        let time = last &+ before &+ UInt64(bitPattern: difference)
        times[cpu] = (time, time &- last)
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
