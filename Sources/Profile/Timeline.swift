import Glibc

/// When samples were taken, and of which threads: a recording's samples one by one, in the order in which they were read.
///
/// A sample takes about nine bytes, a different stack eight: an hour of two CPUs, 99 times a second, 6 MiB.
public struct Timeline: Sendable {
    /// A sample, without what its stack tells.
    public struct Sample: Hashable, Sendable {
        /// CLOCK_MONOTONIC, in nanoseconds; of a wait, when it began.
        public var time: UInt64
        /// The thread's id.
        public var thread: Int32
        /// The number of the CPU that it ran on, or gave up to wait; nil if that isn't known.
        public var cpu: UInt32?
        /// The number of its stack.
        public var stack: Int
        /// How long the thread waited, in nanoseconds, divided by the share of waits that was sampled; nil if it was
        /// running.
        public var waited: UInt64?

        /// A sample of these parts.
        public init(time: UInt64, thread: Int32, cpu: UInt32?, stack: Int, waited: UInt64? = nil) {
            (self.time, self.thread, self.cpu, self.stack, self.waited) = (time, thread, cpu, stack, waited)
        }
    }

    /// The same moment by two clocks.
    public struct Anchor: Hashable, Sendable {
        /// CLOCK_MONOTONIC, in nanoseconds.
        public var monotonic: UInt64
        /// CLOCK_REALTIME: nanoseconds since 1970.
        public var wall: UInt64

        /// The moment that two clocks show.
        public init(monotonic: UInt64, wall: UInt64) { (self.monotonic, self.wall) = (monotonic, wall) }

        /// This moment.
        public static var now: Anchor { Anchor(monotonic: read(CLOCK_MONOTONIC), wall: read(CLOCK_REALTIME)) }

        private static func read(_ clock: clockid_t) -> UInt64 {
            var now = timespec()
            clock_gettime(clock, &now)
            return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
        }
    }

    /// What times mean outside of this machine; nil if that isn't known.
    public var anchor: Anchor?
    /// The number of samples.
    public private(set) var count = 0

    /// Samples, each as differences from the one before; none is in two chunks. Chunks, because a growing array would be
    /// copied.
    private var chunks: [[UInt8]] = []
    private var last = Sample(time: 0, thread: 0, cpu: nil, stack: 0)
    /// Stacks as samples refer to them. Their numbers change, and samples stay as they are.
    private var stacks: [UInt32] = []
    /// For a stack's number, its index in `stacks` and 1; 0 for none.
    private var indices: [UInt32] = []

    private static let chunkSize = 1 << 16
    /// Five numbers of up to ten bytes.
    private static let largestSample = 50

    /// No samples.
    public init(anchor: Anchor? = nil) { self.anchor = anchor }

    /// In bytes.
    var byteCount: Int { chunks.count * Self.chunkSize + (stacks.count + indices.count) * 4 }

    /// Adds a sample. Its stack's number is at least 0 and less than 2^32 - 1.
    public mutating func append(_ sample: Sample) {
        if (chunks.last?.count ?? .max) > Self.chunkSize - Self.largestSample {
            chunks.append([])
            chunks[chunks.count - 1].reserveCapacity(Self.chunkSize)
        }
        let index = index(ofStack: sample.stack)
        let chunk = chunks.count - 1
        Varint.append(Varint.zigzag(Int64(bitPattern: sample.time &- last.time)), to: &chunks[chunk])
        Varint.append(Varint.zigzag(Int64(sample.thread) - Int64(last.thread)), to: &chunks[chunk])
        // The lowest bit says whether the length of a wait follows.
        let cpu = sample.cpu.map { UInt64($0) + 1 } ?? 0
        Varint.append(cpu << 1 | (sample.waited == nil ? 0 : 1), to: &chunks[chunk])
        Varint.append(UInt64(index), to: &chunks[chunk])
        if let waited = sample.waited { Varint.append(waited, to: &chunks[chunk]) }
        last = sample
        count += 1
    }

    private mutating func index(ofStack number: Int) -> UInt32 {
        if number >= indices.count { indices += repeatElement(0, count: number + 1 - indices.count) }
        if indices[number] == 0 {
            stacks.append(UInt32(number))
            indices[number] = UInt32(stacks.count)
        }
        return indices[number] - 1
    }

    /// Replaces the numbers of stacks, in time that depends on the number of stacks alone.
    public mutating func renumber(_ new: (Int) -> Int) {
        indices = []
        for index in stacks.indices {
            let number = new(Int(stacks[index]))
            stacks[index] = UInt32(number)
            if number >= indices.count { indices += repeatElement(0, count: number + 1 - indices.count) }
            indices[number] = UInt32(index + 1)
        }
    }

    /// The samples by time; those of the same time as they were read. Takes 40 bytes a sample.
    public var sorted: [Sample] {
        var samples = Array(self)
        // The sort is stable, but not promised to be.
        let isSorted = zip(samples, samples.dropFirst()).allSatisfy { $0.time <= $1.time }
        if !isSorted {
            samples = samples.enumerated().sorted {
                ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
            }.map(\.element)
        }
        return samples
    }
}

extension Timeline: Sequence {
    /// The samples, in the order in which they were read.
    public struct Iterator: IteratorProtocol {
        private let chunks: [[UInt8]]
        private let stacks: [UInt32]
        private var chunk = 0, offset = 0
        private var last = Sample(time: 0, thread: 0, cpu: nil, stack: 0)

        fileprivate init(_ timeline: Timeline) { (chunks, stacks) = (timeline.chunks, timeline.stacks) }

        /// The next sample; nil after the last one.
        public mutating func next() -> Sample? {
            if chunk < chunks.count, offset == chunks[chunk].count { (chunk, offset) = (chunk + 1, 0) }
            guard chunk < chunks.count else { return nil }
            last.time &+= UInt64(bitPattern: Varint.signed(varint()))
            last.thread = Int32(truncatingIfNeeded: Int64(last.thread) + Varint.signed(varint()))
            let cpu = varint()
            last.cpu = cpu < 2 ? nil : UInt32(truncatingIfNeeded: cpu >> 1 - 1)
            last.stack = Int(stacks[Int(varint())])
            last.waited = cpu & 1 == 0 ? nil : varint()
            return last
        }

        private mutating func varint() -> UInt64 { Varint.next(chunks[chunk], &offset) }
    }

    /// Goes through the samples.
    public func makeIterator() -> Iterator { Iterator(self) }

    /// ``count``
    public var underestimatedCount: Int { count }
}

/// Numbers of variable length: seven bits a byte, the lowest first; all bytes but the last have the highest bit set.
enum Varint {
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Reads a number that ``append(_:to:)`` wrote.
    static func next(_ bytes: [UInt8], _ offset: inout Int) -> UInt64 {
        var value: UInt64 = 0, shift: UInt64 = 0
        while true {
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// Small for numbers around 0.
    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

    static func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}
