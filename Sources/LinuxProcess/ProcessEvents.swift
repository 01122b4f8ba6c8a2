import CLinux
import Glibc

/// A perf event, closed at the end of its life.
package struct PerfEvent: ~Copyable {
    package let descriptor: Int32

    deinit { close(descriptor) }
}

/// What happens to processes, from a perf ring buffer for each CPU.
package final class ProcessEvents {
    private final class Ring {
        let event: PerfEvent
        let page: UnsafeMutablePointer<perf_event_mmap_page>
        let size: Int

        init(cpu: Int32, size: Int) throws(ProcessError) {
            let descriptor = perf_open_process_events(cpu)
            guard descriptor >= 0 else { throw .cannotWatch(cpu: cpu, errno: -descriptor) }
            event = PerfEvent(descriptor: descriptor)
            let start = mmap(
                nil, sysconf(Int32(_SC_PAGESIZE)) + size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            guard let start, start != MAP_FAILED else { throw .cannotWatch(cpu: cpu, errno: errno) }
            page = start.assumingMemoryBound(to: perf_event_mmap_page.self)
            self.size = size
        }

        deinit { munmap(page, sysconf(Int32(_SC_PAGESIZE)) + size) }
    }

    private let rings: [Ring]

    package init(cpus: [Int32]) throws(ProcessError) {
        var rings: [Ring] = []
        for cpu in cpus {
            do throws(ProcessError) { rings.append(try Ring(cpu: cpu, size: 1 << 18)) } catch {
                // A CPU that went offline meanwhile.
                if case .cannotWatch(_, ENODEV) = error { continue }
                throw error
            }
        }
        self.rings = rings
    }

    /// Readable when something happened.
    package var descriptors: [Int32] { rings.map { $0.event.descriptor } }

    /// All that has happened, in the order of time.
    package func read() -> [ProcessEvent] {
        var events: [ProcessEvent] = []
        for ring in rings { read(ring, &events) }
        return events.sorted { $0.time < $1.time }
    }

    private func read(_ ring: Ring, _ events: inout [ProcessEvent]) {
        let data = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(ring.page) + sysconf(Int32(_SC_PAGESIZE)), count: ring.size)
        let tail = Self.forEachRecord(in: data, from: ring.page.pointee.data_tail, to: perf_head(ring.page)) { record in
            if let event = ProcessEvent(record: record) { events.append(event) }
        }
        perf_set_tail(ring.page, tail)
    }

    /// Gives out the records of a ring buffer, with their headers, each in one piece.
    ///
    /// - Parameters:
    ///   - ring: a power of two of bytes.
    ///   - tail: bytes that were read since its beginning.
    ///   - head: bytes that were written since.
    /// - Returns: bytes that are read now: `head`, unless something stands there that is no record.
    package static func forEachRecord(
        in ring: UnsafeRawBufferPointer, from tail: UInt64, to head: UInt64, _ body: (UnsafeRawBufferPointer) -> Void
    ) -> UInt64 {
        var record: [UInt8] = []
        var tail = tail
        // Records are at multiples of 8, so that a header never wraps around.
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
