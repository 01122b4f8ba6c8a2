import CUnwindTable
import Glibc

/// The different stacks among samples, as the BPF programs gave them out. Samples are told apart by their bytes in the
/// ring buffer, without those that differ from one sample of a stack to the next: the time, the thread, the CPU.
///
/// Looking one up allocates nothing. Memory is that of the different stacks.
package struct RawStacks {
    private struct Entry {
        var hash: UInt64
        /// Of its first word in `words`.
        var start: Int
    }

    /// The stacks' headers and addresses, one after the other.
    private var words: [UInt64] = []
    private var entries: [Entry] = []
    /// A hash table with open addressing: numbers of entries plus 1, or 0. Its size is a power of two.
    private var slots: [UInt32] = Array(repeating: 0, count: 256)
    private let tellsProcessesApart: Bool
    /// Odd, and secret: sampled programs could choose stacks that collide.
    private let factor = UInt64.random(in: .min ... .max) | 1

    private static let headerWords = MemoryLayout<cfic_sample>.size / 8

    /// - Parameter tellsProcessesApart: whether equal stacks of different processes are different. Otherwise they are
    ///   the same if they were unwound with the same mappings: those of a parent whose children have not changed them.
    package init(tellsProcessesApart: Bool) { self.tellsProcessesApart = tellsProcessesApart }

    /// The number of different stacks. They are numbered from 0.
    package var count: Int { entries.count }
    /// The memory of the stacks, in bytes.
    package var byteCount: Int { words.count * 8 + entries.count * MemoryLayout<Entry>.stride + slots.count * 4 }

    /// The number of a sample's stack, which is new if it equals the previous ``count``.
    package mutating func intern(_ sample: Sample) -> Int {
        var header = sample.header
        (header.time, header.share, header.thread, header.cpu) = (0, sample.isWait ? 1 : 0, 0, 0)
        if !tellsProcessesApart { header.process = 0 }
        return withUnsafeBytes(of: &header) { intern($0.bindMemory(to: UInt64.self), sample.words) }
    }

    private mutating func intern(_ header: UnsafeBufferPointer<UInt64>, _ frames: UnsafeBufferPointer<UInt64>) -> Int {
        let hash = hash(header, frames)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if entries[number].hash == hash, isEqual(number, header, frames) { return number }
            slot = (slot + 1) & mask
        }
        entries.append(Entry(hash: hash, start: words.count))
        words.append(contentsOf: header)
        words.append(contentsOf: frames)
        slots[slot] = UInt32(entries.count)
        if entries.count > slots.count / 2 { grow() }
        return entries.count - 1
    }

    private func isEqual(
        _ number: Int, _ header: UnsafeBufferPointer<UInt64>, _ frames: UnsafeBufferPointer<UInt64>
    ) -> Bool {
        let start = entries[number].start
        return words.withUnsafeBufferPointer { words in
            // The header tells the number of frames, so it comes first.
            guard let base = words.baseAddress, let other = header.baseAddress,
                memcmp(base + start, other, header.count * 8) == 0
            else { return false }
            guard let other = frames.baseAddress else { return true }
            return memcmp(base + start + header.count, other, frames.count * 8) == 0
        }
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: 2 * slots.count)
        let mask = slots.count - 1
        for (number, entry) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: entry.hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(number + 1)
        }
    }

    /// Two independent chains, because one multiplication waits for the previous one.
    private func hash(
        _ header: UnsafeBufferPointer<UInt64>, _ frames: UnsafeBufferPointer<UInt64>
    ) -> UInt64 {
        var (a, b) = (factor, ~factor)
        func add(_ words: UnsafeBufferPointer<UInt64>) {
            var index = 0
            while index + 1 < words.count {
                a = (a ^ words[index]) &* factor
                b = (b ^ words[index + 1]) &* factor
                (a, b) = (a ^ a >> 32, b ^ b >> 29)
                index += 2
            }
            if index < words.count { a = (a ^ words[index]) &* factor }
        }
        add(header)
        add(frames)
        let mixed = (a ^ (b << 23 | b >> 41)) &* factor
        return mixed ^ mixed >> 32
    }

    /// Calls `body` with a sample that has a stack. Its time, thread and CPU are 0, and so is the process unless they are
    /// told apart.
    package func withSample<Result>(_ number: Int, _ body: (Sample) -> Result) -> Result {
        let start = entries[number].start
        let end = number + 1 < entries.count ? entries[number + 1].start : words.count
        return words.withUnsafeBufferPointer { words in
            let header = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(words)[start * 8..<end * 8])
            return body(
                Sample(
                    header: header.loadUnaligned(as: cfic_sample.self),
                    words: UnsafeBufferPointer(rebasing: words[start + Self.headerWords..<end])))
        }
    }

    /// Forgets all stacks.
    package mutating func removeAll() { self = Self(tellsProcessesApart: tellsProcessesApart) }
}
