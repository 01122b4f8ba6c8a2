import KernelUnwinder
import Profile

/// A profile as a program reads it: what was counted, and the stacks with names.
struct ProfileReport: Encodable {
    struct Frame: Encodable {
        /// `[file]` where that has no symbol.
        var function: String
        /// AVMA: where the frame stands, or where a call returns to.
        var address: UInt64
        /// Whether it was found by the frame pointer.
        var isGuessed: Bool
    }

    struct Stack: Encodable {
        var command: String
        var process: Int32
        var samples: Int
        /// How the walk ended, by its name in docs/stack-ends.md.
        var end: String
        /// Whether rules alone led to the outermost frame.
        var isComplete: Bool
        /// The innermost first.
        var frames: [Frame]
        var kernelFunctions: [String]
    }

    var event: String
    var seconds: Double
    var samples: UInt64
    var lostSamples: UInt64
    var completeStacks: UInt64
    /// Stacks by how their walk ended.
    var ends: [String: UInt64]
    var userFrames: UInt64
    var kernelFrames: UInt64
    var lookups: UInt64
    var tables: Int
    var kernelMemoryUsed: Int
    var kernelMemory: Int
    /// The most frequent first.
    var stacks: [Stack]

    init(_ run: ProfileRun, _ symbolizer: Symbolizer) throws {
        let counters = try run.recorder.unwinder.counters()
        let memory = run.recorder.unwinder.memoryUse
        event = run.event == .cycles ? "cycles" : "clock"
        seconds = run.seconds
        samples = counters.samples
        lostSamples = counters.lost
        completeStacks = counters.complete
        ends = [:]
        for (code, count) in counters.ends.enumerated() where count > 0 {
            ends[StackEnd(code: UInt32(code)).name] = count
        }
        userFrames = counters.userFrames
        kernelFrames = counters.kernelFrames
        lookups = counters.lookups
        tables = memory.tables
        kernelMemoryUsed = memory.used
        kernelMemory = memory.mapped
        stacks = run.recorder.stacks.counts.map { Stack($0.key, samples: $0.value, symbolizer) }
            .sorted { ($1.samples, $0.process, $0.order) < ($0.samples, $1.process, $1.order) }
    }
}

extension ProfileReport.Stack {
    init(_ stack: Stacks.Stack, samples: Int, _ symbolizer: Symbolizer) {
        self.init(
            command: stack.command, process: stack.program.process, samples: samples, end: stack.end.name,
            isComplete: stack.end.isOutermost && !stack.userFrames.contains(where: \.isGuessed),
            frames: stack.userFrames.map { frame in
                ProfileReport.Frame(
                    function: symbolizer.name(of: frame, in: stack.program), address: frame.pc,
                    isGuessed: frame.isGuessed)
            },
            kernelFunctions: stack.kernelFrames.map(symbolizer.kernelName))
    }

    /// Among stacks with as many samples.
    fileprivate var order: String {
        command + frames.map { ";\($0.function)+\($0.address)" }.joined() + kernelFunctions.map { ";\($0)" }.joined()
    }
}
