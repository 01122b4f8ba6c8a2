import CLinux
import Glibc

/// The descriptor of a perf event, which it closes.
package struct PerfEvent: ~Copyable {
    package let descriptor: Int32

    deinit { close(descriptor) }
}

/// Reads the events of all processes from one perf ring buffer per CPU.
package final class ProcessEvents {
    private final class Ring {
        let event: PerfEvent
        let page: UnsafeMutablePointer<perf_event_mmap_page>
        let size: Int

        init(cpu: Int32, size: Int, canWait: Bool) throws(ProcessError) {
            let descriptor = perf_open_process_events(cpu, canWait ? UInt32(size / 2) : 1)
            guard descriptor >= 0 else { throw .cannotWatch(cpu: cpu, errno: -descriptor) }
            event = PerfEvent(descriptor: descriptor)
            let bytes = sysconf(Int32(_SC_PAGESIZE)) + size
            let start = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            guard let start, start != MAP_FAILED else {
                // perf_mmap() of the kernel has no other reason for it.
                throw errno == EPERM ? .tooLittleLockedMemory(bytes: bytes) : .cannotWatch(cpu: cpu, errno: errno)
            }
            page = start.assumingMemoryBound(to: perf_event_mmap_page.self)
            self.size = size
        }

        deinit { munmap(page, sysconf(Int32(_SC_PAGESIZE)) + size) }
    }

    /// By CPU.
    private var rings: [Int32: Ring] = [:]
    private var watch = CPUWatch(at: MonotonicClock.now)
    /// Events that were not returned yet.
    private var unread: [ProcessEvent] = []

    /// Events that the kernel could not write, because a ring buffer was full. It tells when there is room again.
    package private(set) var lostCount: UInt64 = 0

    private let canWait: Bool

    /// - Parameter canWait: whether events can wait until a ring buffer is half full. Otherwise each makes its descriptor
    ///   readable.
    package init(cpus: [Int32], canWait: Bool = false) throws(ProcessError) {
        self.canWait = canWait
        for cpu in cpus { _ = try open(cpu) }
    }

    /// - Returns: whether the CPU is still online.
    private func open(_ cpu: Int32) throws(ProcessError) -> Bool {
        do throws(ProcessError) { rings[cpu] = try Ring(cpu: cpu, size: 1 << 18, canWait: canWait) } catch {
            if case .cannotWatch(_, ENODEV) = error { return false }
            throw error
        }
        watch.noteOpened(cpu)
        return true
    }

    /// Each is readable when there are events that can't wait.
    package var descriptors: [Int32] { rings.values.map { $0.event.descriptor } }

    /// All events since the last call, in ascending order of time.
    package func read() -> [ProcessEvent] {
        var events = unread
        unread = []
        for ring in rings.values { read(ring, &events) }
        return events.sorted { $0.time < $1.time }
    }

    /// Opens events on CPUs that have come online since, or that were offline for some time. Looks once a second, and may
    /// take ten seconds to notice a CPU that was offline for less than that.
    ///
    /// - Returns: the CPUs with new events, and those whose events ended.
    package func renew() -> (opened: [Int32], ended: [Int32]) {
        let now = MonotonicClock.now
        guard watch.isDue(at: now) else { return ([], []) }
        let rings = rings
        watch.look(at: now, rings.keys, online: OnlineCPUs.list) { cpu in
            rings[cpu].map { perf_enabled_time($0.event.descriptor) } ?? 0
        }
        let ended = watch.ended.sorted()
        for cpu in ended { if let ring = self.rings.removeValue(forKey: cpu) { read(ring, &unread) } }
        // What can't be opened now is tried again at the next look.
        let opened = watch.online.sorted().filter { self.rings[$0] == nil && (try? open($0)) == true }
        // Processes may have changed there meanwhile.
        if !opened.isEmpty { unread.append(ProcessEvent(process: 0, kind: .lost, time: now)) }
        return (opened, ended)
    }

    private func read(_ ring: Ring, _ events: inout [ProcessEvent]) {
        let data = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(ring.page) + sysconf(Int32(_SC_PAGESIZE)), count: ring.size)
        let tail = Self.forEachRecord(in: data, from: ring.page.pointee.data_tail, to: perf_head(ring.page)) { record in
            lostCount += ProcessEvent.lostCount(record)
            if let event = ProcessEvent(record: record) { events.append(event) }
        }
        perf_set_tail(ring.page, tail)
    }

    /// Calls `body` with each record of a ring buffer, including its header, in one piece.
    ///
    /// - Parameters:
    ///   - ring: its size is a power of two.
    ///   - tail: bytes that have been read since the beginning.
    ///   - head: bytes that have been written since the beginning.
    /// - Returns: bytes that have now been read: `head`, unless a record is malformed.
    package static func forEachRecord(
        in ring: UnsafeRawBufferPointer, from tail: UInt64, to head: UInt64, _ body: (UnsafeRawBufferPointer) -> Void
    ) -> UInt64 {
        var record: [UInt8] = []
        var tail = tail
        // Records start at multiples of 8, so headers never wrap around.
        while head &- tail >= 8 {
            let start = Int(tail % UInt64(ring.count))
            let size = Int(ring.loadUnaligned(fromByteOffset: start, as: perf_event_header.self).size)
            guard size >= 8, UInt64(size) <= head &- tail else { break }
            let first = min(size, ring.count - start)
            record.removeAll(keepingCapacity: true)
            record += ring[start..<start + first]
            record += ring[..<(size - first)]
            record.withUnsafeBytes(body)
            tail &+= UInt64(size)
        }
        return tail
    }
}
