import CLinux
import Testing
@testable import LinuxProcess

/// Records of a perf ring buffer, byte for byte.
@Suite struct ProcessEventTests {
    private struct Record {
        var bytes: [UInt8] = []

        init(_ type: UInt32, misc: UInt16 = 0) {
            add(type)
            add(misc)
            add(UInt16(0))
        }

        mutating func add(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
        }

        /// The event of a record with the time at its end.
        func event(at time: UInt64) -> ProcessEvent? {
            var record = self
            record.add(time)
            withUnsafeBytes(of: UInt16(record.bytes.count).littleEndian) { size in
                record.bytes.replaceSubrange(6..<8, with: size)
            }
            return record.bytes.withUnsafeBytes(ProcessEvent.init(record:))
        }
    }

    /// pid, tid, addr, len, pgoff, maj, min, ino, ino_generation, prot, flags, filename
    private func mapping(
        start: UInt64 = 0x7f12_3456_7000, size: UInt64 = 0x3000, offset: UInt64 = 0x5000, inode: UInt64 = 77,
        name: String
    ) -> Record {
        var record = Record(PERF_RECORD_MMAP2.rawValue, misc: 2)
        for word in [1234, 1235] as [UInt32] { record.add(word) }
        for long in [start, size, offset] { record.add(long) }
        for word in [0xfe, 0x12] as [UInt32] { record.add(word) }
        for long in [inode, 9] as [UInt64] { record.add(long) }
        for word in [5, 2] as [UInt32] { record.add(word) }
        record.bytes += Array(name.utf8) + [0]
        while record.bytes.count % 8 != 0 { record.bytes.append(0) }
        return record
    }

    @Test func mappingHasItsFileAndPlace() {
        #expect(
            mapping(name: "/usr/lib/libc.so.6").event(at: 5)
                == ProcessEvent(
                    process: 1234,
                    kind: .mapped(
                        ExecutableMapping(
                            start: 0x7f12_3456_7000, end: 0x7f12_3456_a000, offset: 0x5000, device: 0xfe << 32 | 0x12,
                            inode: 77,
                            path: "/usr/lib/libc.so.6")),
                    time: 5))
    }

    @Test(arguments: [("//anon", ""), ("[vdso]", "[vdso]"), ("/eight-b", "/eight-b"), ("", "")])
    func namesEndAtTheirZero(name: String, path: String) {
        guard case .mapped(let found)? = mapping(inode: 0, name: name).event(at: 5)?.kind else {
            Issue.record("no mapping")
            return
        }
        #expect(found.path == path && !found.isFile)
    }

    @Test func mappingThatIsNoneIsLeftOut() {
        #expect(mapping(size: 0, name: "/x").event(at: 1) == nil)
        #expect(mapping(start: .max - 0x1000, size: 0x3000, name: "/x").event(at: 1) == nil)
        guard case .mapped(let last)? = mapping(start: .max - 0xfff, size: 0x1000, name: "/x").event(at: 1)?.kind else {
            Issue.record("the last page is none")
            return
        }
        #expect(last.end == .max)
    }

    @Test func execIsTheRenamingThatIsMarkedSo() {
        func renaming(_ misc: UInt16) -> ProcessEvent? {
            var record = Record(PERF_RECORD_COMM.rawValue, misc: misc)
            for word in [7, 7] as [UInt32] { record.add(word) }
            record.bytes += Array("name\0\0\0\0".utf8)
            return record.event(at: 9)
        }
        #expect(renaming(1 << 13 | 2) == ProcessEvent(process: 7, kind: .exec, time: 9))
        #expect(renaming(2) == nil)
    }

    /// pid, ppid, tid, ptid, time
    private func task(_ type: UInt32, _ words: [UInt32]) -> ProcessEvent? {
        var record = Record(type)
        for word in words { record.add(word) }
        record.add(UInt64(3))
        return record.event(at: 3)
    }

    @Test func forkIsOfAnotherProcess() {
        #expect(
            task(PERF_RECORD_FORK.rawValue, [8, 7, 8, 7])
                == ProcessEvent(process: 8, kind: .forked(parent: 7), time: 3))
        // A new thread is no event.
        #expect(task(PERF_RECORD_FORK.rawValue, [7, 7, 9, 7]) == nil)
    }

    @Test func exitIsOfTheFirstThreadOrAnother() {
        #expect(task(PERF_RECORD_EXIT.rawValue, [8, 7, 8, 7]) == ProcessEvent(process: 8, kind: .exited, time: 3))
        #expect(
            task(PERF_RECORD_EXIT.rawValue, [8, 7, 9, 7]) == ProcessEvent(process: 8, kind: .threadExited, time: 3))
    }

    /// id, lost
    @Test func lostRecordsAreTold() {
        var record = Record(PERF_RECORD_LOST.rawValue)
        for long in [4, 17] as [UInt64] { record.add(long) }
        #expect(record.event(at: 11) == ProcessEvent(process: 0, kind: .lost, time: 11))
        #expect(record.bytes.withUnsafeBytes(ProcessEvent.lostCount) == 17)
        #expect(Record(PERF_RECORD_EXIT.rawValue).bytes.withUnsafeBytes(ProcessEvent.lostCount) == 0)
    }

    // MARK: Ring buffers

    /// A record of `size` bytes: its header, and its number in all other bytes.
    private func numbered(_ number: UInt8, size: Int) -> [UInt8] {
        Array(Record(UInt32(number)).bytes[..<6]) + [UInt8(size), 0] + Array(repeating: number, count: size - 8)
    }

    private func records(
        in ring: [UInt8], from tail: UInt64, to head: UInt64
    ) -> (records: [[UInt8]], tail: UInt64) {
        var records: [[UInt8]] = []
        let tail = ring.withUnsafeBytes { bytes in
            ProcessEvents.forEachRecord(in: bytes, from: tail, to: head) { records.append(Array($0)) }
        }
        return (records, tail)
    }

    @Test func recordsAreReadAcrossTheEndOfTheRing() {
        let written = [numbered(1, size: 24), numbered(2, size: 8), numbered(3, size: 32)]
        // The byte count grows without bound, while offsets in the ring wrap around.
        for start in stride(from: UInt64(0), to: 64, by: 8) {
            for before: UInt64 in [0, 64 * 1000, .max - 63] {
                var ring = [UInt8](repeating: 0xee, count: 64)
                for (index, byte) in written.joined().enumerated() { ring[(Int(start) + index) % 64] = byte }
                let found = records(in: ring, from: before &+ start, to: before &+ start &+ 64)
                #expect(found.records == written && found.tail == before &+ start &+ 64)
            }
        }
    }

    @Test func recordThatIsNotWholeIsLeftForLater() {
        let ring = numbered(1, size: 24) + numbered(2, size: 40)
        #expect(records(in: ring, from: 0, to: 0) == ([], 0))
        #expect(records(in: ring, from: 0, to: 24) == ([numbered(1, size: 24)], 24))
        #expect(records(in: ring, from: 0, to: 56) == ([numbered(1, size: 24)], 24))
        #expect(records(in: ring, from: 24, to: 64) == ([numbered(2, size: 40)], 64))
        // Smaller than its header.
        let broken = Array(Record(1).bytes[..<6]) + [7, 0] + [UInt8](repeating: 0, count: 56)
        #expect(records(in: broken, from: 0, to: 64) == ([], 0))
    }

    @Test func recordsThatAreCutOffOrOfAnotherKindAreLeftOut() {
        let whole = mapping(name: "/usr/lib/libc.so.6").bytes
        for count in 0..<80 {
            let event = whole.prefix(count).withUnsafeBytes { ProcessEvent(record: $0) }
            #expect(event == nil, "\(count) bytes")
        }
        for type in [PERF_RECORD_FORK, PERF_RECORD_EXIT] { #expect(task(type.rawValue, [1, 2]) == nil) }
        #expect(task(PERF_RECORD_THROTTLE.rawValue, [1, 2, 3, 4]) == nil)
    }
}
