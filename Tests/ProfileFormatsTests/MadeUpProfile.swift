import KernelUnwinder
import Profile
import ProfileFormats

/// Profiles that are made up: the same for the same seed.
enum MadeUpProfile {
    /// xorshift64*
    struct Generator: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_f491_4f6c_dd1d
        }
    }

    /// Nothing in it.
    static var small: NamedProfile { NamedProfile(unit: .events, event: "page-faults", seconds: 0.1) }

    static func profile(seed: UInt64, stacks: Int = 500) -> NamedProfile {
        var profile = NamedProfile(unit: .nanoseconds, event: "cycles", seconds: 3.7)
        (profile.includesWaits, profile.frequency, profile.lostSamples) = (true, 99, 12)
        var random = Generator(seed: seed)
        let modules = (0..<9).map { number in
            profile.number(
                of: .init(
                    path: profile.name("/lib/\(number).so"), buildID: profile.name(number == 0 ? "" : "ab\(number)")))
        }
        let frames = (0..<200).map { number in
            let name = profile.name("function \(number % 150)")
            return profile.number(
                of: .init(
                    function: name, symbol: number % 3 == 0 ? profile.name("_Z\(number)") : name,
                    module: number % 7 == 0 ? nil : modules[number % modules.count],
                    address: .random(in: 0 ... .max, using: &random), file: profile.name(number % 2 == 0 ? "" : "f.c"),
                    line: .random(in: 0 ... .max, using: &random), marks: .init(rawValue: UInt8(number % 64))))
        }
        let pieces = (0..<20 as Range<UInt64>).map { number in
            profile.number(
                of: .init(
                    module: modules[Int(number) % modules.count], start: number << 20, size: number << 11 | 1,
                    offset: number << 20 &- (number % 3) << 12))
        }
        let spaces = (0..<12).map { number in
            profile.space(
                of: pieces.prefix(number).map { .init(page: .random(in: 0..<1 << 47, using: &random), piece: $0) })
        }
        let names = ["", "a", "b", "no-rule: x"].map { profile.name($0) }
        var timeline = Timeline(anchor: .init(monotonic: 5, wall: 6)), time: UInt64 = 1 << 50
        for number in 0..<stacks {
            var node: UInt32 = 0
            for _ in 0..<Int.random(in: 0..<20, using: &random) {
                node = profile.node(of: frames.randomElement(using: &random)!, calledFrom: node)
            }
            let isWaiting = number % 5 == 0, samples = Int.random(in: 0..<4, using: &random)
            let index = profile.add(
                .init(
                    node: node, process: .random(in: 0..<9, using: &random),
                    space: spaces.randomElement(using: &random)!,
                    thread: names.randomElement(using: &random)!, cgroup: names.randomElement(using: &random)!,
                    isWaiting: isWaiting, end: names.randomElement(using: &random)!,
                    outcome: StackOutcome.allCases.randomElement(using: &random)!),
                .init(
                    samples: samples, total: isWaiting ? Double(samples) * 7 : Double(samples) * 1e9 / 99))
            for _ in 0..<samples {
                time += .random(in: 0..<20_000_000, using: &random)
                timeline.append(
                    .init(
                        time: time - .random(in: 0..<9_000_000, using: &random),
                        thread: .random(in: 1..<50, using: &random),
                        cpu: .random(in: 0..<4, using: &random), stack: index, waited: isWaiting ? 7 : nil))
            }
        }
        profile.timeline = timeline
        return profile
    }
}
