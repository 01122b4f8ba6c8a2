import KernelUnwinder
import Profile
@testable import ProfileFormats

extension MadeProfile {
    /// Adds one sample of a stack, with its time in milliseconds.
    mutating func add(
        _ frames: [Frame], at time: Double, thread: String = "thread", process: Int32 = 7, space: UInt32 = 0,
        id: Int32 = 7, cpu: UInt32? = 0, waited: Double? = nil, weight: Double = 1, outcome: StackOutcome = .complete
    ) {
        var timeline =
            profile.timeline ?? Timeline(anchor: .init(monotonic: 2_000_000, wall: 1_700_000_000_000_000_000))
        let stack = add(
            frames, 1, weight: waited.map { $0 * 1e6 } ?? weight, thread: thread, process: process,
            space: space, isWaiting: waited != nil, outcome: outcome)
        timeline.append(
            .init(
                time: UInt64(time * 1e6), thread: id, cpu: cpu, stack: stack, waited: waited.map { UInt64($0 * 1e6) }))
        profile.timeline = timeline
    }

    /// Samples of two processes and three threads, neither in order nor complete, with names that need care.
    static var timed: MadeProfile {
        var made = MadeProfile(event: "clock")
        made.profile.frequency = 100
        made.add(["main", "a", .init("read", .kernel, module: "[kernel]", address: 0xffff_ffff_8100_0000)], at: 20)
        made.add(["main", .init("a", [], address: 0x1011), .init("b", [.exact], address: 0x2000)], at: 30)
        made.add(["main", "a"], at: 1000)
        made.add(["start", "work"], at: 25, thread: "worker \"1\"", id: 8, cpu: 123)
        made.add(["a"], at: 28, thread: "worker 1", id: 8, outcome: .truncated)
        var inlined = Frame("inner\u{1}\\", [.inlined], address: 0x3001)
        (inlined.file, inlined.line) = ("/src/b.c", 12)
        made.add([.init("outer;\n", [.guessed], address: 0x3001), inlined], at: 40, thread: "other", process: 9, id: 9)
        made.add([], at: 50, thread: "other", process: 9, id: 9)
        return made
    }
}
