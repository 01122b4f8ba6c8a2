import CUnwindTable
import UnwindTable

/// A stack sampled in the kernel. Valid only during the call of the closure that receives it; copy what you keep.
public struct Sample {
    /// A frame of user code.
    public struct Frame: Equatable, Hashable, Sendable {
        package let word: UInt64

        package init(word: UInt64) { self.word = word }

        /// AVMA: if `isExact`, the instruction at which the frame stopped, else a return address, which the call
        /// precedes.
        ///
        /// The bits above, used for marks, are restored by repeating the highest remaining bit, which only addresses in
        /// the vsyscall page have set.
        public var pc: UInt64 { UInt64(bitPattern: Int64(bitPattern: word << 4) >> 4) }
        /// Whether it is the innermost frame or was interrupted by a signal.
        public var isExact: Bool { word >> 63 == 1 }
        /// Whether it was found without a rule, because its callee's code has none, or by way of such a frame.
        public var isGuessed: Bool { word >> 62 & 1 == 1 }
        /// Whether it is guessed, and the code that would confirm it could not be read.
        public var isUnchecked: Bool { word >> 61 & 0b11 == 0b11 }
        /// Whether the rule that led to it, that of its callee's code, was made from instructions, because no call frame
        /// information covers that code.
        public var isInferred: Bool { word >> 60 & 1 == 1 }
        /// Whether it was found in user space, by rules and with all registers, beyond the frames that the kernel could
        /// find (`Options.finishesStacks`).
        public var isFinished: Bool { word >> 61 & 0b11 == 0b01 }
        /// An address inside the function that the frame belongs to.
        public var lookupAddress: UInt64 { isExact ? pc : pc &- 1 }

        /// Larger than any pc, except those in the vsyscall page.
        package static var addressLimit: UInt64 { 1 << 59 }
        /// The bits of the word that hold the pc; the bits above are marks.
        private static let pcBits: UInt64 = 1 << 60 - 1

        /// A frame that was found in user space. Only guessed frames can be unchecked, so that mark alone means this.
        package init(finished pc: UInt64, isExact: Bool) {
            word = pc & Self.pcBits | 1 << 61 | (isExact ? 1 << 63 : 0)
        }

        /// The same location, however it was found.
        package var unmarked: Self { Self(word: word & (1 << 63 | Self.pcBits)) }

        /// The same frame, whose pc is the current instruction.
        package var exact: Self { Self(word: word | 1 << 63) }

        /// The same frame with another pc.
        package func moved(to pc: UInt64) -> Self { Self(word: word & ~Self.pcBits | pc & Self.pcBits) }
    }

    let header: cfic_sample
    /// Addresses of kernel code, innermost first; empty if user code was interrupted.
    public let kernelFrames: UnsafeBufferPointer<UInt64>
    let userWords: UnsafeBufferPointer<UInt64>
    /// The kernel frames, followed by the user frames.
    let words: UnsafeBufferPointer<UInt64>

    /// CLOCK_MONOTONIC, in nanoseconds; of a wait, when it began.
    public var time: UInt64 { header.time }
    /// Whether the thread is about to wait, rather than running. A ``Wait`` follows when the wait ends.
    public var isWait: Bool { header.share != 0 }
    /// The share of waits that was sampled when this one began, above 0 and at most 1: for each sample there were 1/share
    /// waits. 1 if the thread is running.
    public var share: Double { isWait ? Double(header.share) / 0x1p32 : 1 }
    /// The id of the thread's cgroup, of version 2: the inode number of the cgroup's directory.
    public var cgroup: UInt64 { header.cgroup }
    /// The process id, in the initial pid namespace.
    public var process: Int32 { Int32(bitPattern: header.process) }
    /// The thread id, in the initial pid namespace.
    public var thread: Int32 { Int32(bitPattern: header.thread) }
    /// The number of the CPU that the thread ran on.
    public var cpu: Int32 { Int32(bitPattern: header.cpu) }
    /// The number of the mappings that it was unwound with, ``ProcessImages/number``; they may be those of the
    /// process's parent. 0 if the walk ended before it used any.
    public var mappings: UInt32 { header.mappings }
    /// Frames of user code, innermost first.
    public var userFrames: some RandomAccessCollection<Frame> { userWords.lazy.map { Frame(word: $0) } }
    /// How the walk ended.
    public var end: StackEnd { StackEnd(code: UInt32(header.end), reason: UInt32(header.reason)) }
    /// How much of the stack is known.
    public var outcome: StackOutcome { StackOutcome(end, hasGuesses: header.guessed_count > 0) }
    /// The thread's name.
    public var command: String {
        withUnsafeBytes(of: header.command) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Nil if the bytes are not a sample.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let size = MemoryLayout<cfic_sample>.size
        guard bytes.count >= size, let start = bytes.baseAddress else { return nil }
        let header = start.loadUnaligned(as: cfic_sample.self)
        let count = Int(header.kernel_count) + Int(header.user_count)
        guard bytes.count >= size + count * 8 else { return nil }
        // Records in the ring buffer start at multiples of 8.
        let words = (start + size).assumingMemoryBound(to: UInt64.self)
        self.init(header: header, words: UnsafeBufferPointer(start: words, count: count))
    }

    /// - Parameter words: as many as the header states.
    init(header: cfic_sample, words: UnsafeBufferPointer<UInt64>) {
        (self.header, self.words) = (header, words)
        let kernel = Int(header.kernel_count)
        kernelFrames = UnsafeBufferPointer(rebasing: words[..<kernel])
        userWords = UnsafeBufferPointer(rebasing: words[kernel...])
    }
}

/// How much of a stack is known, as the outcome of a walk.
public enum StackOutcome: String, Sendable, CaseIterable {
    /// Rules alone led to the outermost frame.
    case complete
    /// The outermost frame was reached, in part by guesses.
    case guessed
    /// The outermost frames are missing.
    case truncated

    /// The outcome of a walk.
    ///
    /// - Parameters:
    ///   - end: how the walk ended.
    ///   - hasGuesses: whether any of its frames ``Sample/Frame/isGuessed``.
    package init(_ end: StackEnd, hasGuesses: Bool) {
        if !end.isOutermost {
            self = .truncated
        } else {
            self = cfic_is_complete(end.code, hasGuesses ? 1 : 0) != 0 ? .complete : .guessed
        }
    }
}

/// How a walk ended: a code of `CFIC_STEPS`, with the table's reason if that ended it.
public struct StackEnd: Hashable, Sendable, CustomStringConvertible {
    /// `enum cfic_step`
    public var code: UInt32
    /// `enum cfic_reason`; 0 unless the code is CFIC_STEP_NO_RULE.
    public var reason: UInt32 = 0

    package init(code: UInt32, reason: UInt32 = 0) {
        self.code = code
        self.reason = reason
    }

    /// Detected afterwards: when the sample was taken, the last frame's address belonged to another file than the BPF
    /// programs knew, so the callers that they found were removed. No `enum cfic_step` has this code.
    public static let mappingChanged = StackEnd(code: 1 << 16)

    /// The process's mappings were not known.
    public static let noProcess = StackEnd(code: CFIC_STEP_NO_PROCESS.rawValue)

    /// No file is mapped at the last frame's address.
    public static let noMapping = StackEnd(code: CFIC_STEP_NO_MAPPING.rawValue)

    /// Whether the last frame is the thread's outermost one.
    public var isOutermost: Bool { cfic_is_outermost(code) != 0 }

    /// A stable name for use in programs, such as `end-of-stack`.
    public var name: String {
        self == .mappingChanged ? "mapping-changed" : stableName(cfic_step_name(code), or: "step-\(code)")
    }

    /// The stable name of the table's reason, such as `unknown-instruction`; nil for other ends.
    public var reasonName: String? { code == CFIC_STEP_NO_RULE.rawValue ? Reason(rawValue: reason).name : nil }

    public var description: String {
        if self == .mappingChanged {
            return "another file was mapped at the frame's address after its mappings were read"
        }
        let text = cfic_step_text(code).map { String(cString: $0) } ?? "code \(code)"
        guard code == CFIC_STEP_NO_RULE.rawValue, let why = cfic_reason_text(reason) else { return text }
        return "\(text): \(String(cString: why))"
    }
}

/// The BPF programs' counters since they were loaded, summed over all CPUs.
public struct Counters: Sendable {
    /// Samples that were taken, those lost included.
    public var samples: UInt64 = 0
    /// Samples for which the ring buffer had no room.
    public var lost: UInt64 = 0
    /// Hits of a tracepoint that were not sampled because they interrupted another BPF program; counted since Linux 6.7.
    public var missed: UInt64 = 0
    /// Events of processes for which the kernel's buffers had no room.
    public var lostProcessEvents: UInt64 = 0
    /// Frames of kernel code, of all samples.
    public var kernelFrames: UInt64 = 0
    /// Frames of user code, of all samples.
    public var userFrames: UInt64 = 0
    /// User frames that are guessed.
    public var guessedFrames: UInt64 = 0
    /// User frames that inferred rules led to, and not guesses.
    public var inferredFrames: UInt64 = 0
    /// Stacks whose outermost frame was reached by rules alone.
    public var complete: UInt64 = 0
    /// Stacks whose outermost frame was reached with guesses.
    public var guessed: UInt64 = 0
    /// Lookups of an address that gave a rule.
    public var lookups: UInt64 = 0
    /// Lookups of a mapping, where it is not that of the frame before.
    public var mappingLookups: UInt64 = 0
    /// Reads of a window of the stack.
    public var stackReads: UInt64 = 0
    /// Reads of single words, and of whole signal frames.
    public var otherReads: UInt64 = 0
    /// Snapshots that were given out, and those for which the ring buffer had no room.
    package var snapshots: UInt64 = 0
    package var lostSnapshots: UInt64 = 0
    /// Children of sampled processes that are not sampled, because there are more than ``KernelUnwinder/Options/processLimit``.
    public var unlisted: UInt64 = 0
    /// By `enum cfic_step`.
    public var ends: [UInt64] = Array(repeating: 0, count: 32)

    init() {}

    mutating func add(_ other: cfic_counters) {
        samples += other.samples
        lost += other.lost
        kernelFrames += other.kernel_frames
        userFrames += other.user_frames
        guessedFrames += other.guessed_frames
        inferredFrames += other.inferred_frames
        complete += other.complete
        guessed += other.guessed
        lookups += other.lookups
        mappingLookups += other.mapping_lookups
        stackReads += other.stack_reads
        otherReads += other.other_reads
        snapshots += other.snapshots
        lostSnapshots += other.lost_snapshots
        unlisted += other.unlisted
        withUnsafeBytes(of: other.ends) { bytes in
            for (index, count) in bytes.bindMemory(to: UInt64.self).enumerated() { ends[index] += count }
        }
    }
}
