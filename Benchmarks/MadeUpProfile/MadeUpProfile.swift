import Profile
import ProfileFormats

/// A profile that is as hard as real ones get: a million samples, 100,000 stacks of 30 frames, of which on average half are
/// those of the stack before; 20,000 functions.
public enum MadeUpProfile {
    private static let (stacks, depth, functions, modules) = (100_000, 30, 20_000, 50)

    /// - Parameter hasTimes: whether it has the time of each sample: those of two CPUs, 99 times a second.
    public static func profile(hasTimes: Bool = false) -> NamedProfile {
        var profile = NamedProfile(unit: .samples, event: "cycles", seconds: 100)
        profile.frequency = 99
        var random = Generator()
        let frames = frames(in: &profile)
        let threads = (0..<20).map { profile.name("thread-\($0)") }
        let end = profile.name("end-of-stack")
        var path = [UInt32](repeating: 0, count: depth + 1)
        for number in 0..<stacks {
            let shared = number == 0 ? 0 : Int.random(in: 0..<depth, using: &random)
            for level in shared..<depth {
                let frame = frames[Int.random(in: 0..<functions, using: &random)]
                path[level + 1] = profile.node(of: frame, calledFrom: path[level])
            }
            let samples = Int.random(in: 1...19, using: &random)
            profile.add(
                .init(
                    node: path[depth], process: Int32(number % 7), thread: threads[number % threads.count],
                    cgroup: profile.noName, isWaiting: false, end: end, outcome: .complete),
                .init(samples: samples, total: Double(samples)))
        }
        if hasTimes { profile.timeline = timeline(of: profile, &random) }
        return profile
    }

    private static func frames(in profile: inout NamedProfile) -> [UInt32] {
        let modules = (0..<modules).map { number in
            profile.number(of: .init(path: profile.name("/usr/lib/lib\(number).so"), buildID: profile.noName))
        }
        return (0..<functions).map { number in
            let name = profile.name("function_\(number)")
            return profile.number(
                of: .init(function: name, symbol: name, module: modules[number % modules.count], file: profile.noName))
        }
    }

    /// The samples in a random order, each up to 50 µs late.
    private static func timeline(of profile: NamedProfile, _ random: inout Generator) -> Timeline {
        var stacks = profile.stacks.enumerated().flatMap { repeatElement($0.offset, count: $0.element.weight.samples) }
        stacks.shuffle(using: &random)
        var timeline = Timeline(anchor: .init(monotonic: 1_000_000_000_000, wall: 1_800_000_000_000_000_000))
        for (number, stack) in stacks.enumerated() {
            let time = 1_000_000_000_000 + UInt64(number / 2) * 10_101_010 + UInt64(number % 2) * 3_000_000
            timeline.append(
                .init(
                    time: time + .random(in: 0..<50_000, using: &random), thread: 1000 + Int32(stack % 20),
                    cpu: UInt32(number % 2), stack: stack))
        }
        return timeline
    }

    /// The same in every run (xorshift64*).
    private struct Generator: RandomNumberGenerator {
        private var state: UInt64 = 1

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_f491_4f6c_dd1d
        }
    }
}
