import Profile
import ProfileFormats

/// A profile that is as hard as real ones get.
enum MadeUpProfile {
    private static let (stacks, depth, functions, modules) = (100_000, 30, 20_000, 50)

    static func profile() -> NamedProfile {
        var profile = NamedProfile(unit: .samples, event: "cycles", seconds: 100)
        profile.frequency = 99
        var random = Generator()
        let frames = frames(in: &profile)
        let threads = (0..<20).map { profile.name("thread-\($0)") }
        let end = profile.name("end-of-stack")
        var timeline = Timeline(anchor: .now)
        var path = [UInt32](repeating: 0, count: depth + 1)
        for number in 0..<stacks {
            let shared = number == 0 ? 0 : Int.random(in: 0..<depth, using: &random)
            for level in shared..<depth {
                let frame = frames[Int.random(in: 0..<functions, using: &random)]
                path[level + 1] = profile.node(of: frame, calledFrom: path[level])
            }
            let samples = Int.random(in: 1...19, using: &random)
            let stack = profile.add(
                .init(
                    node: path[depth], process: Int32(number % 7), thread: threads[number % threads.count],
                    cgroup: profile.noName, isWaiting: false, end: end, outcome: .complete),
                .init(samples: samples, total: Double(samples)))
            // Not in the order of time, as they are not read in it.
            for _ in 0..<samples {
                let time = UInt64.random(in: 0..<100_000_000_000, using: &random)
                timeline.append(.init(time: time, thread: Int32(number % threads.count), cpu: 1, stack: stack))
            }
        }
        profile.timeline = timeline
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
