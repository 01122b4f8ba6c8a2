import CUnwindTable
import UnwindTable

/// A stack as the kernel saw it. Valid only while the closure that it is given to runs; copy what is kept.
public struct Sample {
    /// Of a frame of user code.
    public struct Frame: Equatable, Hashable, Sendable {
        let word: UInt64

        /// AVMA. Where the frame stands if `isExact`, else where a call returns to: its instruction comes before.
        ///
        /// Below the marks its highest bit is repeated: that is set of the vsyscall page alone.
        public var pc: UInt64 { UInt64(bitPattern: Int64(bitPattern: word << 3) >> 3) }
        /// Innermost, or interrupted by a signal.
        public var isExact: Bool { word >> 63 == 1 }
        /// Found without a rule, because its callee's code has none, or by way of a frame that was.
        public var isGuessed: Bool { word >> 62 & 1 == 1 }
        /// Guessed, and the code that would speak for it could not be read.
        public var isUnchecked: Bool { word >> 61 & 1 == 1 }
        /// An address in the function that the frame belongs to.
        public var lookupAddress: UInt64 { isExact ? pc : pc &- 1 }

        /// Above all that a frame can have as its pc, but for the vsyscall page.
        package static var addressLimit: UInt64 { 1 << 60 }
        /// Bits of the word that are its pc: what is above are marks.
        private static let pcBits: UInt64 = 1 << 61 - 1

        /// The same frame where its code has another address.
        package func moved(to pc: UInt64) -> Self { Self(word: word & ~Self.pcBits | pc & Self.pcBits) }
    }

    let header: cfic_sample
    /// Addresses of kernel code, the innermost first; none if user code was interrupted.
    public let kernelFrames: UnsafeBufferPointer<UInt64>
    let userWords: UnsafeBufferPointer<UInt64>

    /// CLOCK_MONOTONIC, in nanoseconds.
    public var time: UInt64 { header.time }
    /// The process id, in the initial pid namespace.
    public var process: Int32 { Int32(bitPattern: header.process) }
    /// The thread id, in the initial pid namespace.
    public var thread: Int32 { Int32(bitPattern: header.thread) }
    /// The number of the CPU that the thread ran on.
    public var cpu: Int32 { Int32(bitPattern: header.cpu) }
    /// What it was unwound by: ``ProcessImages/number``, be it of a process that made this one. 0 if it ended before.
    public var mappings: UInt32 { header.mappings }
    /// The innermost first.
    public var userFrames: some RandomAccessCollection<Frame> { userWords.lazy.map { Frame(word: $0) } }
    /// How the walk ended.
    public var end: StackEnd { StackEnd(code: UInt32(header.end), reason: UInt32(header.reason)) }
    public var outcome: StackOutcome { StackOutcome(end, hasGuesses: header.guessed_count > 0) }
    /// The thread's name.
    public var command: String {
        withUnsafeBytes(of: header.command) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Nil if the bytes are not a sample.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let size = MemoryLayout<cfic_sample>.size
        guard bytes.count >= size, let start = bytes.baseAddress else { return nil }
        header = start.loadUnaligned(as: cfic_sample.self)
        let (kernel, user) = (Int(header.kernel_count), Int(header.user_count))
        guard bytes.count >= size + (kernel + user) * 8 else { return nil }
        // Records of the ring buffer start at multiples of 8.
        let words = (start + size).assumingMemoryBound(to: UInt64.self)
        kernelFrames = UnsafeBufferPointer(start: words, count: kernel)
        userWords = UnsafeBufferPointer(start: words + kernel, count: user)
    }
}

/// How much of a stack is known: the three outcomes of a walk.
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
    public init(_ end: StackEnd, hasGuesses: Bool) {
        if !end.isOutermost {
            self = .truncated
        } else {
            self = cfic_is_complete(end.code, hasGuesses ? 1 : 0) != 0 ? .complete : .guessed
        }
    }
}

/// How a walk ended: a code of `CFIC_STEPS`, with the table's reason where that is what it ended by.
public struct StackEnd: Hashable, Sendable, CustomStringConvertible {
    /// `enum cfic_step`
    public var code: UInt32
    /// `enum cfic_reason`; 0 unless the code is CFIC_STEP_NO_RULE.
    public var reason: UInt32 = 0

    public init(code: UInt32, reason: UInt32 = 0) {
        self.code = code
        self.reason = reason
    }

    /// Found afterwards: when the sample was taken, another file was mapped where the last frame stands than the
    /// programs had been told, and what they took for its callers was cut off. No `enum cfic_step` has this code.
    public static let mappingChanged = StackEnd(code: 1 << 16)

    /// Whether the last frame is the outermost one of its thread.
    public var isOutermost: Bool { cfic_is_outermost(code) != 0 }

    /// A stable name for programs, such as `end-of-stack`.
    public var name: String {
        self == .mappingChanged ? "mapping-changed" : stableName(cfic_step_name(code), or: "step-\(code)")
    }

    /// That of the table's reason, such as `unknown-instruction`; nil if the end is another one.
    public var reasonName: String? { code == CFIC_STEP_NO_RULE.rawValue ? Reason(rawValue: reason).name : nil }

    public var description: String {
        if self == .mappingChanged { return "another file had just been mapped at the frame's address" }
        let text = cfic_step_text(code).map { String(cString: $0) } ?? "code \(code)"
        guard code == CFIC_STEP_NO_RULE.rawValue, let why = cfic_reason_text(reason) else { return text }
        return "\(text): \(String(cString: why))"
    }
}

/// What the programs counted, on all CPUs, since they were loaded.
public struct Counters: Sendable {
    public var samples: UInt64 = 0
    /// For which the ring buffer had no room.
    public var lost: UInt64 = 0
    public var kernelFrames: UInt64 = 0
    public var userFrames: UInt64 = 0
    /// Of the user frames.
    public var guessedFrames: UInt64 = 0
    /// Stacks that rules alone led to the outermost frame.
    public var complete: UInt64 = 0
    /// Stacks that reach the outermost frame in part by guesses.
    public var guessed: UInt64 = 0
    public var lookups: UInt64 = 0
    public var mappingLookups: UInt64 = 0
    public var stackReads: UInt64 = 0
    public var otherReads: UInt64 = 0
    /// By `enum cfic_step`.
    public var ends: [UInt64] = Array(repeating: 0, count: 32)

    init() {}

    mutating func add(_ other: cfic_counters) {
        samples += other.samples
        lost += other.lost
        kernelFrames += other.kernel_frames
        userFrames += other.user_frames
        guessedFrames += other.guessed_frames
        complete += other.complete
        guessed += other.guessed
        lookups += other.lookups
        mappingLookups += other.mapping_lookups
        stackReads += other.stack_reads
        otherReads += other.other_reads
        withUnsafeBytes(of: other.ends) { bytes in
            for (index, count) in bytes.bindMemory(to: UInt64.self).enumerated() { ends[index] += count }
        }
    }
}
