import CUnwindTable
@testable import KernelUnwinder
import Testing

/// Equal samples, found by their bytes.
@Suite struct RawStacksTests {
    /// A record as in the ring buffer.
    private struct Record {
        var header = cfic_sample()
        var words: [UInt64] = []

        init(kernel: [UInt64] = [], user: [UInt64] = [], _ change: (inout cfic_sample) -> Void = { _ in }) {
            header.process = 7
            header.mappings = 3
            header.end = UInt8(CFIC_STEP_END_OF_STACK.rawValue)
            (header.kernel_count, header.user_count) = (UInt16(kernel.count), UInt16(user.count))
            change(&header)
            words = kernel + user
        }

        func intern(in stacks: inout RawStacks) -> Int {
            var bytes = withUnsafeBytes(of: header) { Array($0) }
            for word in words { withUnsafeBytes(of: word) { bytes += $0 } }
            return bytes.withUnsafeBytes { bytes in
                Sample(bytes).map { stacks.intern($0) } ?? -1
            }
        }
    }

    /// Number of stacks after both were added, by whether processes are told apart.
    private func isSame(_ one: Record, _ other: Record, apart: Bool = true) -> Bool {
        var stacks = RawStacks(tellsProcessesApart: apart)
        let first = one.intern(in: &stacks)
        let same = other.intern(in: &stacks) == first
        #expect(stacks.count == (same ? 1 : 2))
        #expect(one.intern(in: &stacks) == first)
        return same
    }

    @Test func whatDiffersFromSampleToSampleIsLeftOut() {
        let one = Record(kernel: [1], user: [2, 3])
        let other = Record(kernel: [1], user: [2, 3]) { ($0.time, $0.thread, $0.cpu) = (9, 8, 1) }
        #expect(isSame(one, other))
        // The share of waits, but not that it is a wait.
        #expect(isSame(Record(user: [1]) { $0.share = 5 }, Record(user: [1]) { $0.share = 1 << 32 }))
        #expect(!isSame(Record(user: [1]) { $0.share = 5 }, Record(user: [1])))
    }

    @Test func everythingElseTellsStacksApart() {
        let one = Record(kernel: [1], user: [2, 3])
        #expect(!isSame(one, Record(kernel: [1, 2], user: [3])))
        #expect(!isSame(one, Record(kernel: [1], user: [2, 4])))
        #expect(!isSame(one, Record(kernel: [1], user: [2])))
        let changes: [(inout cfic_sample) -> Void] = [
            { $0.mappings = 4 }, { $0.cgroup = 1 }, { $0.end = 2 }, { $0.reason = 1 }, { $0.command.0 = 65 },
            { $0.command.15 = 65 }, { $0.guessed_count = 1 },
        ]
        for apart in [false, true] {
            for change in changes { #expect(!isSame(one, Record(kernel: [1], user: [2, 3], change), apart: apart)) }
        }
    }

    @Test func processesAreToldApartOnRequest() {
        let child = Record(user: [2, 3]) { $0.process = 8 }
        #expect(!isSame(Record(user: [2, 3]), child, apart: true))
        #expect(isSame(Record(user: [2, 3]), child, apart: false))
    }

    /// More than the first hash table has room for, twice; each is found again with its frames.
    @Test func manyStacksAreFoundAgain() {
        var stacks = RawStacks(tellsProcessesApart: true)
        func record(_ index: Int) -> Record {
            Record(user: Array(repeating: UInt64(index), count: index % 7) + [UInt64(index)])
        }
        for _ in 0..<2 {
            for index in 0..<5000 { #expect(record(index).intern(in: &stacks) == index) }
        }
        #expect(stacks.count == 5000)
        for index in [0, 1, 6, 4999] {
            stacks.withSample(index) { sample in
                #expect(sample.userFrames.map(\.pc) == record(index).words)
                #expect(sample.process == 7 && sample.mappings == 3 && sample.kernelFrames.isEmpty)
            }
        }
        stacks.removeAll()
        #expect(stacks.count == 0 && record(9).intern(in: &stacks) == 0)
    }
}
