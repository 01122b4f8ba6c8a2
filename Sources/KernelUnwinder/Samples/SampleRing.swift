import CLibbpf
import Glibc

/// The ring buffer that contains samples.
final class SampleRing {
    private let ring: OpaquePointer
    private let receiver: Receiver

    /// Receives samples while the ring buffer is read.
    private final class Receiver {
        var body: ((Sample) -> Void)?
        var wait: ((Wait) -> Void)?
    }

    init(map: Int32) throws(KernelError) {
        let receiver = Receiver()
        // Unretained, because the ring buffer is freed before the receiver.
        let made = ring_buffer__new(
            map,
            { context, data, size in
                guard let context, let data else { return 0 }
                let receiver = Unmanaged<Receiver>.fromOpaque(context).takeUnretainedValue()
                let bytes = UnsafeRawBufferPointer(start: data, count: size)
                if let sample = Sample(bytes) { receiver.body?(sample) }
                if let wait = Wait(bytes) { receiver.wait?(wait) }
                return 0
            }, Unmanaged.passUnretained(receiver).toOpaque(), nil)
        guard let made else { throw .system("mapping the ring buffer", errno: errno) }
        ring = made
        self.receiver = receiver
    }

    deinit { ring_buffer__free(ring) }

    /// Readable when there are samples.
    var descriptor: Int32 { ring_buffer__epoll_fd(ring) }

    /// Calls the closures with each available record; returns their number.
    @discardableResult
    func read(_ body: (Sample) -> Void, wait: (Wait) -> Void) throws(KernelError) -> Int {
        let status = withoutActuallyEscaping(body) { body in
            withoutActuallyEscaping(wait) { wait in
                (receiver.body, receiver.wait) = (body, wait)
                defer { (receiver.body, receiver.wait) = (nil, nil) }
                return ring_buffer__consume(ring)
            }
        }
        guard status >= 0 else { throw .system("reading samples", errno: -status) }
        return Int(status)
    }
}
