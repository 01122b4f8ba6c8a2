import Files
import Profile
import Symbols

/// The threads of a profile, each with its samples.
struct FirefoxThreads {
    struct Thread {
        var process: Int32
        var thread: Int32
        /// Its last one.
        var name: NameTable.ID
        /// In the order of time, by their numbers.
        var samples: [Int] = []
    }

    /// By process, and the first thread of each first.
    let all: [Thread]
    /// The time of the first sample.
    let began: UInt64
    private let profile: NamedProfile
    private let samples: [Timeline.Sample]
    /// By process.
    private let processNames: [Int32: NameTable.ID]

    private struct Key: Hashable {
        var process, thread: Int32
    }

    /// - Parameter samples: by time.
    init(_ profile: NamedProfile, _ samples: [Timeline.Sample]) {
        (self.profile, self.samples) = (profile, samples)
        began = samples.first?.time ?? 0
        var threads: [Thread] = []
        var numbers: [Key: Int] = [:]
        for (index, sample) in samples.enumerated() {
            let stack = profile.stacks[sample.stack].stack
            let key = Key(process: stack.process, thread: sample.thread)
            let number = numbers[key] ?? threads.count
            if number == threads.count {
                numbers[key] = number
                threads.append(Thread(process: key.process, thread: key.thread, name: stack.thread))
            }
            threads[number].name = stack.thread
            threads[number].samples.append(index)
        }
        all = threads.sorted {
            ($0.process, $0.thread != $0.process ? 1 : 0, $0.thread)
                < ($1.process, $1.thread != $1.process ? 1 : 0, $1.thread)
        }
        processNames = Dictionary(all.map { ($0.process, $0.name) }, uniquingKeysWith: { first, _ in first })
    }

    func append(
        _ thread: Thread, _ tables: FirefoxTables, to text: inout PieceWriter, flush: (inout PieceWriter) -> Void
    ) {
        text.append("{\"name\":")
        text.append(quoted: PrintableText.of(profile.names[thread.name]))
        text.append(",\"processName\":")
        text.append(quoted: PrintableText.of(profile.names[processNames[thread.process] ?? thread.name]))
        text.append(",\"pid\":\"\(thread.process)\",\"tid\":\"\(thread.thread)\"")
        text.append(",\"isMainThread\":\(thread.process == thread.thread),\"processType\":\"default\"")
        text.append(",\"processStartupTime\":0,\"processShutdownTime\":null,\"registerTime\":")
        FirefoxTime.append(microseconds: time(of: thread.samples.first), to: &text)
        text.append(",\"unregisterTime\":null,\"pausedRanges\":[],\"showMarkersInTimeline\":false")
        text.append(
            ",\"markers\":{\"length\":0,\"category\":[],\"data\":[],\"endTime\":[],\"name\":[],\"phase\":[],\"startTime\":[]}"
        )
        text.append(",\"samples\":{\"length\":\(thread.samples.count),\"stack\":")
        FirefoxTables.append(thread.samples.count, to: &text, flush) {
            tables.number(of: profile.stacks[samples[thread.samples[$0]].stack].stack)
        }
        text.append(",\"timeDeltas\":[")
        var last = 0
        for (position, index) in thread.samples.enumerated() {
            if position > 0 { text.append(",") }
            let time = time(of: index)
            FirefoxTime.append(microseconds: time - last, to: &text)
            last = time
            flush(&text)
        }
        text.append("],\"weight\":")
        appendWeights(thread, to: &text, flush)
        if let frequency = profile.frequency {
            text.append(",\"threadCPUDelta\":")
            FirefoxTables.append(thread.samples.count, to: &text, flush) {
                cpuTime(before: $0, of: thread, interval: 1_000_000 / frequency)
            }
        }
        text.append("}}")
    }

    /// In microseconds since the first sample of all.
    private func time(of sample: Int?) -> Int { sample.map { Int((samples[$0].time - began) / 1000) } ?? 0 }

    private func appendWeights(_ thread: Thread, to text: inout PieceWriter, _ flush: (inout PieceWriter) -> Void) {
        switch profile.unit {
        case .samples: text.append("null,\"weightType\":\"samples\"")
        case .events:
            FirefoxTables.append(thread.samples.count, to: &text, flush) {
                FlameTree.whole(profile.weight(of: samples[thread.samples[$0]]))
            }
            text.append(",\"weightType\":\"samples\"")
        case .nanoseconds:
            text.append("[")
            for (position, index) in thread.samples.enumerated() {
                if position > 0 { text.append(",") }
                FirefoxTime.append(
                    microseconds: FlameTree.whole(profile.weight(of: samples[index]) / 1000), to: &text)
                flush(&text)
            }
            text.append("],\"weightType\":\"tracing-ms\"")
        }
    }

    /// The CPU time between a sample and the one before, in microseconds: at most the interval between two samples of a
    /// thread that always runs, and none while it waits. It tells the tracks when a thread slept.
    private func cpuTime(before position: Int, of thread: Thread, interval: Int) -> Int {
        guard position > 0 else { return 0 }
        let sample = samples[thread.samples[position]], before = samples[thread.samples[position - 1]]
        let elapsed = sample.time - before.time
        return min(interval, Int((elapsed - min(before.waited ?? 0, elapsed)) / 1000))
    }
}
