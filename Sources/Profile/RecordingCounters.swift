import KernelUnwinder
import LinuxProcess
import TableSupply

/// What a recording has counted so far, and the memory that it takes: docs/counters.md.
///
/// Totals never decrease. While samples are being taken, totals may differ from their parts by the samples that are being
/// taken; when sampling has stopped, they are equal.
public struct RecordingCounters: Sendable {
    /// The results of comparing stacks with those of another unwinder.
    public struct Audit: Sendable, Equatable {
        /// Compared stacks without a disagreement.
        public var agreeingStacks: Int
        /// Compared stacks with a disagreement.
        public var disagreeingStacks: Int
        /// Callers that the kernel found by tables.
        public var frames = Frames()
        /// Callers that were found in user space.
        public var finishedFrames = Frames()

        /// Callers that both sides found by call frame information. Innermost frames don't count.
        public struct Frames: Sendable, Equatable {
            /// Those that are equal.
            public var agreeing = 0
            /// Those that differ; at most one for each stack.
            public var disagreeing = 0

            /// The share of those that agree; nil if there are none.
            public var agreement: Double? {
                let all = agreeing + disagreeing
                return all == 0 ? nil : Double(agreeing) / Double(all)
            }

            package init(agreeing: Int = 0, disagreeing: Int = 0) {
                (self.agreeing, self.disagreeing) = (agreeing, disagreeing)
            }
        }

        package init(agreeingStacks: Int = 0, disagreeingStacks: Int = 0) {
            (self.agreeingStacks, self.disagreeingStacks) = (agreeingStacks, disagreeingStacks)
        }
    }

    /// What samples were finished with in user space.
    public struct Finished: Sendable {
        /// Stacks that were finished.
        public var stacks = 0
        /// The frames that they got.
        public var frames = 0

        package init() {}
    }

    /// Waits that have ended.
    public struct Waits: Sendable {
        /// Samples of them.
        public var samples = 0
        /// How long all threads waited, in nanoseconds, estimated if a share of the waits is sampled.
        public var nanoseconds = 0.0

        package init() {}
    }

    /// Since sampling began.
    public var elapsed: Duration
    /// The counters of the BPF programs.
    public var kernel: Counters
    /// What was finished in user space.
    public var finished: Finished
    /// Nil if waits are not sampled.
    public var waits: Waits?
    /// How requests for tables were answered; nil if the supply doesn't count them.
    public var tableAnswers: SupplyAnswers?
    /// Images whose tables are being made.
    public var pendingTables: Int
    /// Kernel memory for tables and mappings.
    public var memory: KernelUnwinder.MemoryUse
    /// The size of the ring buffer for samples, in bytes.
    public var sampleRingBytes: Int
    /// The size of the ring buffer for snapshots, in bytes; 0 if there are none.
    public var snapshotRingBytes: Int
    /// The resident memory of this process, in bytes; nil if it can't be read.
    public var residentBytes: Int?
    /// Processes whose mappings have been read and published.
    public var knownProcesses: Int
    /// Processes that were sampled, and whose mappings have not been read yet.
    public var unknownProcesses: Int
    /// Nil if stacks are not compared.
    public var audit: Audit?

    /// Of a recording with no results.
    package init(elapsed: Duration, kernel: Counters, memory: KernelUnwinder.MemoryUse) {
        (self.elapsed, self.kernel, self.memory) = (elapsed, kernel, memory)
        (finished, waits, tableAnswers, pendingTables) = (Finished(), nil, nil, 0)
        (sampleRingBytes, snapshotRingBytes, residentBytes) = (0, 0, nil)
        (knownProcesses, unknownProcesses, audit) = (0, 0, nil)
    }

    /// ``elapsed`` in seconds.
    public var seconds: Double {
        Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    /// Stacks by outcome, as the kernel unwound them.
    public func stacks(_ outcome: StackOutcome) -> UInt64 {
        switch outcome {
        case .complete: kernel.complete
        case .guessed: kernel.guessed
        case .truncated: kernel.samples - min(kernel.samples, kernel.complete + kernel.guessed)
        }
    }
}

extension RecordingCounters {
    /// The state of a recording.
    init(_ recorder: Recorder, elapsed: Duration) throws(KernelError) {
        let unwinder = recorder.unwinder
        self.init(elapsed: elapsed, kernel: try unwinder.counters(), memory: unwinder.memoryUse)
        (finished, waits) = (recorder.finished, unwinder.samplesWaits ? recorder.ended : nil)
        (tableAnswers, pendingTables) = (unwinder.tableAnswers, unwinder.pendingTables)
        (sampleRingBytes, snapshotRingBytes) = unwinder.ringBytes
        residentBytes = ResidentMemory.bytes
        (knownProcesses, unknownProcesses) = (unwinder.trackedProcesses.count, recorder.newcomerCount)
        audit = recorder.observer?.audit
    }
}
