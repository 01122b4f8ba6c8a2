import KernelUnwinder
import Symbols

/// Waits that have begun, each with its stack, until they end.
struct WaitingThreads {
    struct Begun {
        /// CLOCK_MONOTONIC, in nanoseconds.
        var time: UInt64
        /// The share of waits that was sampled.
        var share: Double
        /// The CPU that the thread gave up.
        var cpu: UInt32
        var stack: Stacks.Number
        /// How much of it earlier intervals have, in nanoseconds.
        var counted: UInt64 = 0
    }

    private var begun: [Int32: Begun] = [:]
    /// The number of waits at which those are looked for that will never end here.
    private var limit = 1024

    /// Replaces the thread's last wait, whose end was lost, or which was too short to be given out.
    mutating func begin(_ thread: Int32, _ wait: Begun) { begun[thread] = wait }

    /// The wait that has ended; nil if its sample was lost.
    mutating func end(_ wait: Wait) -> Begun? {
        guard let known = begun[wait.thread], known.time == wait.began else { return nil }
        begun[wait.thread] = nil
        return known
    }

    /// Forgets the waits of threads that have not waited again since a short wait, and may have ended. Takes time, so it
    /// is done when the number of waits has doubled.
    mutating func forgetEnded(isWaiting: (_ thread: Int32, _ since: UInt64) -> Bool) {
        guard begun.count >= limit else { return }
        begun = begun.filter { isWaiting($0.key, $0.value.time) }
        limit = max(1024, 2 * begun.count)
    }

    /// Replaces the numbers of stacks.
    mutating func renumber(_ new: (Stacks.Number) -> Stacks.Number) {
        begun = begun.mapValues {
            Begun(time: $0.time, share: $0.share, cpu: $0.cpu, stack: new($0.stack), counted: $0.counted)
        }
    }

    /// Divides the waits that have not ended: what they lasted until now belongs to the interval that ends now.
    ///
    /// - Parameter add: adds to it a wait of a thread, with its length so far.
    mutating func divide(
        at now: UInt64, isWaiting: (_ thread: Int32, _ since: UInt64) -> Bool,
        add: (_ thread: Int32, _ wait: Begun, _ length: UInt64) -> Void
    ) {
        for (thread, wait) in begun where isWaiting(thread, wait.time) {
            let length = now > wait.time ? now - wait.time : 0
            add(thread, wait, length)
            begun[thread]?.counted = max(length, wait.counted)
        }
    }

    /// Removes and returns the waits that have not ended.
    mutating func takeUnended(isWaiting: (_ thread: Int32, _ since: UInt64) -> Bool) -> [(thread: Int32, wait: Begun)] {
        defer { begun = [:] }
        return begun.filter { isWaiting($0.key, $0.value.time) }.map { ($0.key, $0.value) }
    }
}

/// Cuts the kernel frames inward of the scheduler's main function off the stacks of waits: they are those of the
/// tracepoint and of the BPF program.
struct SchedulerFrames {
    private let kernel: KernelSymbols
    private var known: [UInt64: Bool] = [:]

    init(_ kernel: KernelSymbols) { self.kernel = kernel }

    mutating func cut(_ frames: inout [UInt64]) {
        guard let first = frames.firstIndex(where: { isScheduler($0) }) else { return }
        frames.removeFirst(first)
    }

    private mutating func isScheduler(_ address: UInt64) -> Bool {
        if let known = known[address] { return known }
        let found = kernel.function(at: address) == "__schedule"
        known[address] = found
        return found
    }
}
