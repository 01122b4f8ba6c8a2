@testable import KernelUnwinder
@testable import Profile

/// A recording with stacks that a test defines.
struct MadeRecording {
    var processes = ProcessHistories()
    var stacks = Stacks()
    var timeline: Timeline?

    static let process: Int32 = 7
    /// The end of a stack whose outermost frame was reached by rules.
    static let whole = StackEnd(code: 1)

    /// - Parameter names: the names of the mappings at 0x1000, 0x2000 and so on.
    init(mapping names: [String]) {
        let mappings = names.enumerated().map { index, name in
            let start = UInt64(index + 1) << 12
            return ProcessImages.Mapping(start: start, end: start + 0x1000, bias: 0, image: nil, name: name)
        }
        processes.note(ProcessImages(mappings), of: Self.process)
    }

    mutating func add(_ stack: Stacks.Stack, count: Int = 1) { for _ in 0..<count { stacks.add(stack) } }

    static func stack(
        _ frames: [Sample.Frame], thread: String = "thread", kernel: [UInt64] = [], end: StackEnd = whole,
        addresses: [UInt64] = []
    ) -> Stacks.Stack {
        Stacks.Stack(
            space: AddressSpace(process: process), command: thread, kernelFrames: kernel, userFrames: frames, end: end,
            addresses: addresses)
    }

    func recording(lost: UInt64 = 0, lookups: UInt64 = 0, commandEnd: CommandEnd? = nil) -> Recording {
        var counters = Counters()
        (counters.lost, counters.lookups) = (lost, lookups)
        var recording = Recording(
            stacks: stacks, processes: processes, event: .cycles, elapsed: .milliseconds(1500),
            stopReason: .targetEnded,
            counters: .success(counters),
            memory: KernelUnwinder.MemoryUse(
                budget: 268_435_456, mapped: 4_194_304, used: 65_536, tables: 3, evicted: 0, fileBytes: 50_000,
                evictions: 0,
                reloads: 0, refusals: 0),
            commandEnd: commandEnd)
        recording.timeline = timeline
        return recording
    }
}

extension Sample.Frame {
    /// A frame with this pc, by default a return address.
    init(
        _ pc: UInt64, isExact: Bool = false, isGuessed: Bool = false, isUnchecked: Bool = false,
        isInferred: Bool = false
    ) {
        let marks = [(63, isExact), (62, isGuessed), (61, isUnchecked), (60, isInferred)] as [(UInt64, Bool)]
        self.init(word: marks.reduce(pc) { $0 | ($1.1 ? 1 << $1.0 : 0) })
    }
}
