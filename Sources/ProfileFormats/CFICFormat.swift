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
        var names = NumberWriter(), stacks = NumberWriter(), times = NumberWriter()
        names.facts(of: profile)
        names.names(of: profile)
        StackColumns(of: profile).write(to: &stacks)
        times.timeline(of: profile)
        let file = try CFICFile.file([(names.bytes, .text), (stacks.bytes, .numbers), (times.bytes, .numbers)])
        file.withUnsafeBytes { output.write($0) }
    }
}

/// The parts of a .cfic file, which ``CFICReader`` reads in the same order.
extension NumberWriter {
    fileprivate mutating func facts(of profile: NamedProfile) {
        number(profile.unit.code)
        number(profile.includesWaits ? 1 : 0)
        number(profile.period.map { $0 + 1 } ?? 0)
        number(profile.frequency.map { $0 + 1 } ?? 0)
        double(profile.seconds)
        number(profile.lostSamples)
        text(profile.event)
    }

    /// Names and modules.
    fileprivate mutating func names(of profile: NamedProfile) {
        number(profile.names.count)
        for name in profile.names.all { text(name) }
        number(profile.modules.count)
        for module in profile.modules {
            number(module.path.number)
            number(module.buildID.number)
        }
    }

    fileprivate mutating func timeline(of profile: NamedProfile) {
        guard let timeline = profile.timeline else { return number(0) }
        number(timeline.anchor == nil ? 1 : 2)
        if let anchor = timeline.anchor {
            number(anchor.monotonic)
            number(anchor.wall)
        }
        number(timeline.count)
        var context = SampleContext(profile), block: [Timeline.Sample] = []
        for sample in timeline {
            block.append(sample)
            guard block.count == SampleContext.blockSize else { continue }
            add(block, of: profile, &context)
            block.removeAll(keepingCapacity: true)
        }
        add(block, of: profile, &context)
    }

    private mutating func add(_ block: [Timeline.Sample], of profile: NamedProfile, _ context: inout SampleContext) {
        for sample in block { number(sample.cpu.map { Int($0) + 1 } ?? 0) }
        let differences = block.map { context.difference($0.time, cpu: $0.cpu) }
        if context.period > 0 { for difference in differences { signed(difference.periods) } }
        for difference in differences { signed(difference.rest) }
        for sample in block { number(context.distance(ofStack: sample.stack)) }
        for sample in block { signed(context.threadDifference(sample.thread, stack: sample.stack)) }
        for sample in block where profile.stacks[sample.stack].stack.isWaiting { number(sample.waited ?? 0) }
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
