import CLinux
import Files

/// An event of a process.
public struct ProcessEvent: Sendable, Equatable {
    /// What happened, as the kernel reports it for all processes and threads. `KernelUnwinder.Change.Kind` has the
    /// consequences for sampled processes, with other data.
    public enum Kind: Sendable, Equatable {
        /// It mapped executable memory, which replaces whatever was there.
        case mapped(ExecutableMapping)
        /// It runs another executable, and none of its earlier mappings remain.
        case exec
        /// It was created by another process.
        case forked(parent: Int32)
        /// Its first thread ended, which usually means that the process ended.
        case exited
        /// Another of its threads ended.
        case threadExited
        /// Events before this one were lost, so any process may have changed. The process is 0.
        case lost
    }

    /// The process id, in the initial pid namespace.
    public var process: Int32
    /// What happened.
    public var kind: Kind
    /// CLOCK_MONOTONIC, in nanoseconds.
    public var time: UInt64

    package init(process: Int32, kind: Kind, time: UInt64) {
        (self.process, self.kind, self.time) = (process, kind, time)
    }

    /// Parses a record of a perf ring buffer (perf_event_open(2), "MMAP layout"), including its header; nil for records
    /// of other types and for those that are too short.
    ///
    /// With `sample_id_all` and PERF_SAMPLE_TIME, the last 8 bytes of a record are its time.
    package init?(record: UnsafeRawBufferPointer) {
        func word(_ offset: Int) -> UInt32 { record.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        func long(_ offset: Int) -> UInt64 { record.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        guard record.count >= 16 else { return nil }
        time = long(record.count - 8)
        // struct perf_event_header: type, misc, size.
        let type = word(0)
        let misc = record.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        process = Int32(bitPattern: word(8))
        switch type {
        case PERF_RECORD_MMAP2.rawValue:
            guard let mapping = ExecutableMapping(record: record) else { return nil }
            kind = .mapped(mapping)
        case PERF_RECORD_COMM.rawValue:
            // PERF_RECORD_MISC_COMM_EXEC is set on exec; otherwise a thread renamed itself.
            guard misc & 1 << 13 != 0 else { return nil }
            kind = .exec
        case PERF_RECORD_FORK.rawValue:
            // pid, ppid, tid, ptid; for a new thread, pid and ppid are equal.
            guard record.count >= 40 else { return nil }
            let parent = Int32(bitPattern: word(12))
            guard parent != process else { return nil }
            kind = .forked(parent: parent)
        case PERF_RECORD_EXIT.rawValue:
            guard record.count >= 40 else { return nil }
            kind = Int32(bitPattern: word(16)) == process ? .exited : .threadExited
        case PERF_RECORD_LOST.rawValue:
            process = 0
            kind = .lost
        default: return nil
        }
    }
}

extension ProcessEvent {
    /// How many events a record says were lost. PERF_RECORD_LOST: id, lost.
    package static func lostCount(_ record: UnsafeRawBufferPointer) -> UInt64 {
        guard record.count >= 24, record.loadUnaligned(as: UInt32.self) == PERF_RECORD_LOST.rawValue else { return 0 }
        return record.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    }
}

extension ExecutableMapping {
    /// PERF_RECORD_MMAP2: pid, tid, addr, len, pgoff (in bytes), maj, min, ino, ino_generation, prot, flags, filename.
    /// Memory without a file has a name that starts with two slashes.
    fileprivate init?(record: UnsafeRawBufferPointer) {
        let nameOffset = 72
        guard record.count >= nameOffset + 8 else { return nil }
        func long(_ offset: Int) -> UInt64 { record.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        let (start, size) = (long(16), long(24))
        let end = start.addingReportingOverflow(size)
        guard size > 0, !end.overflow || end.partialValue == 0 else { return nil }
        let name = record[nameOffset..<record.count - 8].prefix { $0 != 0 }
        let (major, minor) = (UInt64(long(40) & 0xffff_ffff), long(40) >> 32)
        let inode = long(48)
        self.init(
            start: start, end: end.overflow ? .max : end.partialValue, offset: long(32), device: major << 32 | minor,
            inode: inode,
            path: name.starts(with: "//".utf8) ? "" : String(path: Array(name)))
    }
}
