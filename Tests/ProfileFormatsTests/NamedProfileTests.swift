import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
@testable import ProfileFormats
import Symbols
import Testing

/// Recordings with names.
@Suite struct NamedProfileTests {
    private func named(_ recording: Recording) -> NamedProfile {
        let names = Symbolizer(
            recording.processes, kernel: KernelSymbols(text: Array("1000 T schedule\n2000 D data\n".utf8)))
        return NamedProfile(recording, names: names)
    }

    /// The frames of each stack as `function module address marks`, innermost first.
    private func frames(_ profile: NamedProfile) -> [[String]] {
        profile.stacks.map { stack, _ in
            profile.frames(from: stack.node).map { frame in
                let module = frame.module.map { profile.names[profile.modules[Int($0)].path] } ?? "-"
                return "\(profile.names[frame.function]) \(module) \(frame.address) \(frame.marks.rawValue)"
            }
        }
    }

    @Test func framesAreKernelFirstAndSharedFromTheOutermostOn() {
        var made = MadeRecording(mapping: ["/a", "[heap]"])
        let inner = Sample.Frame(0x1010, isExact: true),
            outer = Sample.Frame(0x2010, isGuessed: true, isUnchecked: true, isInferred: true)
        made.add(MadeRecording.stack([inner, outer], kernel: [0x1004], addresses: [0x7010, 0x8010]), count: 2)
        made.add(
            MadeRecording.stack(
                [outer], thread: "other", end: StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: 2),
                addresses: [0x8010]))
        let profile = named(made.recording(lost: 4))
        #expect(
            frames(profile) == [
                ["schedule [kernel] 4100 33", "[a] /a 28688 32", "[heap] [heap] 32784 70"],
                ["[heap] [heap] 32784 70"],
            ])
        // The root, and three frames.
        #expect(profile.nodes.count == 4 && profile.stacks[1].stack.node == 1)
        #expect(profile.stacks.map(\.weight) == [.init(samples: 2, total: 2), .init(samples: 1, total: 1)])
        #expect(profile.total == .init(samples: 3, total: 3))
        let stacks = profile.stacks.map(\.stack)
        #expect(stacks.map { profile.names[$0.thread] } == ["thread", "other"])
        #expect(stacks.map(\.outcome) == [.guessed, .truncated] && stacks.map(\.process) == [7, 7])
        #expect(
            stacks.map { profile.names[$0.end] } == [
                "end-of-stack", "no-rule: \(StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: 2).reasonName!)",
            ])
        #expect(profile.unit == .samples && profile.event == "cycles" && profile.lostSamples == 4)
        #expect(profile.seconds == 1.5 && profile.frequency == 99 && profile.period == nil)
    }

    /// An interrupt stops the kernel at an instruction; a wait begins in a call.
    @Test func onlyTheInnermostKernelFrameThatAnInterruptStoppedIsExact() {
        var made = MadeRecording(mapping: ["/a"])
        var stack = MadeRecording.stack([], kernel: [0x1004, 0x1008])
        made.add(stack, count: 1)
        stack.isWaiting = true
        made.stacks.add(stack, waited: 1)
        var recording = made.recording()
        let frames = ["schedule [kernel] 4100 1", "schedule [kernel] 4104 1"]
        #expect(self.frames(named(recording)) == [["schedule [kernel] 4100 33", frames[1]], frames])
        recording.event = nil
        #expect(self.frames(named(recording)) == [frames, frames])
    }

    /// Memory without a file is of one process; what is told of it must not be taken for another's.
    @Test func memoryOfTwoProcessesIsToldApartByAddress() {
        var made = MadeRecording(mapping: [""])
        for address: UInt64 in [0x7010, 0x8010, 0x7010] {
            made.add(MadeRecording.stack([Sample.Frame(0x1010, isExact: true)], addresses: [address]))
        }
        let profile = named(made.recording())
        #expect(frames(profile) == [["[anonymous] [anonymous] 28688 32"], ["[anonymous] [anonymous] 32784 32"]])
    }

    @Test func weightsAreInWhatIsCounted() {
        var made = MadeRecording(mapping: ["/a"])
        var stack = MadeRecording.stack([Sample.Frame(0x1010, isExact: true)])
        made.add(stack, count: 3)
        stack.isWaiting = true
        made.stacks.add(stack, waited: 5e9)
        var recording = made.recording()
        (recording.includesWaits, recording.frequency) = (true, 100)
        let both = named(recording)
        #expect(both.unit == .nanoseconds && both.stacks.map(\.weight.total) == [3e7, 5e9])
        #expect(both.stacks.map(\.stack.isWaiting) == [false, true] && both.includesWaits && both.frequency == 100)
        recording.event = nil
        #expect(named(recording).event == "" && named(recording).frequency == nil)
        recording = made.recording()
        recording.period = 10
        let events = named(recording)
        #expect(events.unit == .events && events.stacks.map(\.weight.total) == [30, 10])
        #expect(events.period == 10 && events.frequency == nil)
    }

    /// Two stacks of a recording may have the same names, and a stack may have no samples.
    @Test func timesAreOfTheStacksWithNames() throws {
        var made = MadeRecording(mapping: ["", "/b"])
        let frames = [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x1020, isExact: true)]
        var wait = MadeRecording.stack([Sample.Frame(0x2010, isExact: true)], addresses: [0x2010])
        wait.isWaiting = true
        _ = made.stacks.number(of: MadeRecording.stack([], thread: "never"))
        var timeline = Timeline(anchor: .init(monotonic: 1, wall: 2))
        for (time, frame) in [(10, frames[0]), (20, frames[1]), (30, frames[0])] as [(UInt64, Sample.Frame)] {
            let number = made.stacks.number(of: MadeRecording.stack([frame], addresses: [0x7010]))
            made.stacks.add(number)
            timeline.append(.init(time: time, thread: 71, cpu: 1, stack: number.index))
        }
        made.stacks.add(wait, waited: 4e9)
        let number = made.stacks.number(of: wait).index
        timeline.append(.init(time: 15, thread: 72, cpu: 0, stack: number, waited: 4_000_000_000))
        made.timeline = timeline
        var recording = made.recording()
        (recording.includesWaits, recording.frequency) = (true, 100)
        let profile = named(recording)
        #expect(profile.stacks.count == 2)
        let times = try #require(profile.timeline)
        #expect(times.map(\.stack) == [0, 0, 0, 1] && times.map(\.thread) == [71, 71, 71, 72])
        #expect(times.sorted.map(\.time) == [10, 15, 20, 30] && times.anchor == timeline.anchor)
        #expect(times.map(profile.weight) == [1e7, 1e7, 1e7, 4e9])
        #expect(named(MadeRecording(mapping: []).recording()).timeline == nil)
    }

    @Test func equalStacksAreAddedUp() {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1)
        let function = profile.name("f")
        let frame = profile.number(
            of: NamedProfile.Frame(function: function, symbol: function, module: nil, file: profile.noName))
        let stack = NamedProfile.Stack(
            node: profile.node(of: frame, calledFrom: 0), process: 0, thread: profile.name("t"), cgroup: profile.noName,
            isWaiting: false, end: profile.name("end-of-stack"), outcome: .complete)
        for weight in [2, 3] { profile.add(stack, .init(samples: 1, total: Double(weight))) }
        #expect(profile.stacks.map(\.weight) == [.init(samples: 2, total: 5)])
    }
}
