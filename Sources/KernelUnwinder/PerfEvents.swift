import CLinux
import Glibc

/// A perf event, closed at the end of its life.
struct PerfEvent: ~Copyable {
    let descriptor: Int32

    deinit { close(descriptor) }
}

/// Something that happened to a process.
public struct ProcessEvent: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// It mapped something executable.
        case mapped
        /// It runs another program now.
        case exec
        /// Another process made it.
        case forked(parent: Int32)
        /// Its first thread ended: the process, mostly.
        case exited
        /// Another one of its threads ended.
        case threadExited
        /// Events were lost: any process may have changed. The process is 0.
        case lost
    }

    public var process: Int32
    public var kind: Kind
    /// CLOCK_MONOTONIC, in nanoseconds; 0 if it isn't known.
    public var time: UInt64
}

/// What happens to processes, from a perf ring buffer for each CPU.
final class ProcessEvents {
    private final class Ring {
        let event: PerfEvent
        let page: UnsafeMutablePointer<perf_event_mmap_page>
        let size: Int

        init(cpu: Int32, size: Int) throws(KernelError) {
            let descriptor = perf_open_process_events(cpu)
            guard descriptor >= 0 else { throw .system("watching processes on CPU \(cpu)", errno: -descriptor) }
            event = PerfEvent(descriptor: descriptor)
            let start = mmap(
                nil, sysconf(Int32(_SC_PAGESIZE)) + size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            guard let start, start != MAP_FAILED else { throw .system("watching processes", errno: errno) }
            page = start.assumingMemoryBound(to: perf_event_mmap_page.self)
            self.size = size
        }

        deinit { munmap(page, sysconf(Int32(_SC_PAGESIZE)) + size) }
    }

    private let rings: [Ring]
    private var record: [UInt8] = []

    init(cpus: [Int32]) throws(KernelError) {
        var rings: [Ring] = []
        for cpu in cpus {
            do throws(KernelError) { rings.append(try Ring(cpu: cpu, size: 1 << 18)) } catch {
                // A CPU that went offline meanwhile.
                if case .system(_, ENODEV) = error { continue }
                throw error
            }
        }
        self.rings = rings
    }

    /// Readable when something happened.
    var descriptors: [Int32] { rings.map { $0.event.descriptor } }

    /// All that has happened, in the order of time.
    func read() -> [ProcessEvent] {
        var events: [ProcessEvent] = []
        for ring in rings { read(ring, &events) }
        return events.sorted { $0.time < $1.time }
    }

    private func read(_ ring: Ring, _ events: inout [ProcessEvent]) {
        let data = UnsafeRawPointer(ring.page) + sysconf(Int32(_SC_PAGESIZE))
        let head = perf_head(ring.page)
        var tail = ring.page.pointee.data_tail
        // Records are at multiples of 8, so that a header never wraps around.
        while head &- tail >= 8 {
            let header = (data + Int(tail % UInt64(ring.size))).load(as: perf_event_header.self)
            let size = Int(header.size)
            guard size >= 8, UInt64(size) <= head &- tail else { break }
            record.removeAll(keepingCapacity: true)
            let start = Int(tail % UInt64(ring.size))
            let first = min(size, ring.size - start)
            record += UnsafeRawBufferPointer(start: data + start, count: first)
            record += UnsafeRawBufferPointer(start: data, count: size - first)
            if let event = Self.event(header, record) { events.append(event) }
            tail &+= UInt64(size)
        }
        perf_set_tail(ring.page, tail)
    }

    /// What a record of perf_event_open(2) says; nil of those that don't matter.
    private static func event(_ header: perf_event_header, _ record: [UInt8]) -> ProcessEvent? {
        func word(_ offset: Int) -> Int32 {
            guard offset + 4 <= record.count else { return 0 }
            return record.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int32.self) }
        }
        // With sample_id_all the time stands at the end of each record.
        let time = record.withUnsafeBytes { bytes in
            bytes.count >= 16 ? bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self) : 0
        }
        let process = word(8)
        switch header.type {
        case PERF_RECORD_MMAP.rawValue, PERF_RECORD_MMAP2.rawValue:
            return ProcessEvent(process: process, kind: .mapped, time: time)
        case PERF_RECORD_COMM.rawValue:
            // PERF_RECORD_MISC_COMM_EXEC; otherwise a thread just renamed itself.
            return header.misc & (1 << 13) == 0 ? nil : ProcessEvent(process: process, kind: .exec, time: time)
        case PERF_RECORD_FORK.rawValue:
            // pid, ppid, tid, ptid: of a new thread, both processes are the same.
            let parent = word(12)
            return parent == process ? nil : ProcessEvent(process: process, kind: .forked(parent: parent), time: time)
        case PERF_RECORD_EXIT.rawValue:
            return ProcessEvent(process: process, kind: word(16) == process ? .exited : .threadExited, time: time)
        case PERF_RECORD_LOST.rawValue:
            return ProcessEvent(process: 0, kind: .lost, time: 0)
        default: return nil
        }
    }
}
