import CLibbpf
import Glibc

/// A ring buffer of records: of samples, or of snapshots.
final class RecordRing {
    private let ring: OpaquePointer
    private let receiver: Receiver

    /// Receives records while the ring buffer is read.
    private final class Receiver {
        var body: ((UnsafeRawBufferPointer) -> Void)?
    }

    init(map: Int32) throws(KernelError) {
        let receiver = Receiver()
        // Unretained, because the ring buffer is freed before the receiver.
        let made = ring_buffer__new(
            map,
            { context, data, size in
                guard let context, let data else { return 0 }
                let receiver = Unmanaged<Receiver>.fromOpaque(context).takeUnretainedValue()
                receiver.body?(UnsafeRawBufferPointer(start: data, count: size))
                return 0
            }, Unmanaged.passUnretained(receiver).toOpaque(), nil)
        guard let made else { throw .system("mapping the ring buffer", errno: errno) }
        ring = made
        self.receiver = receiver
    }

    deinit { ring_buffer__free(ring) }

    /// Readable when there are records.
    var descriptor: Int32 { ring_buffer__epoll_fd(ring) }

    /// Calls `body` with each available record; returns their number.
    @discardableResult
    func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(KernelError) -> Int {
        let status = withoutActuallyEscaping(body) { body in
            receiver.body = body
            defer { receiver.body = nil }
            return ring_buffer__consume(ring)
        }
        guard status >= 0 else { throw .system("reading a ring buffer", errno: -status) }
        return Int(status)
    }
}
