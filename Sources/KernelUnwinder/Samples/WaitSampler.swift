import CLibbpf
import CUnwindTable
import Glibc
import LinuxProcess

/// The BPF program that samples waits, and the share that it samples.
final class WaitSampler {
    /// Seconds between two changes of the share, at least.
    static let round = 0.1

    let object: KernelObject
    private let waits: Int32
    private let shares: Int32
    private let sampling: WaitSampling
    private var share = WaitShare()
    private var number: UInt32 = 0
    private var began = MonotonicClock.now
    /// The number of waits in this round, estimated from its samples.
    private var estimate = 0.0

    init(_ sampling: WaitSampling, _ object: KernelObject) throws(KernelError) {
        self.sampling = sampling
        self.object = object
        waits = try object.map("waits")
        shares = try object.map("wait_share")
        publish()
    }

    func attach() throws(KernelError) -> OpaquePointer {
        let program = try object.program("off_cpu_\(try KernelUnwinder.hostMachine.programSuffix)")
        guard let link = bpf_program__attach(program) else {
            throw .system("attaching the program off_cpu", errno: errno)
        }
        return link
    }

    /// When the wait of a thread began, if it still waits and the wait was sampled.
    func began(_ thread: Int32) -> UInt64? {
        var (key, value) = (thread, UInt64(0))
        return bpf_map_lookup_elem(waits, &key, &value) == 0 ? value : nil
    }

    func note(_ sample: Sample) { if sample.isWait { estimate += 1 / sample.share } }

    /// Adjusts the share if the round has been long enough.
    func endRound() {
        let now = MonotonicClock.now
        guard sampling.share == nil, Double(now - began) >= Self.round * 1e9 else { return }
        share.endRound(waits: estimate, seconds: Double(now - began) / 1e9)
        (began, estimate) = (now, 0)
        number &+= 1
        publish()
    }

    /// The update can't fail: the map is an array, and the key is one of its.
    private func publish() {
        var (key, value) = (UInt32(0), cfic_wait_share())
        value.round = number
        value.threshold = WaitShare.threshold(sampling.share ?? share.share)
        bpf_map_update_elem(shares, &key, &value, 0)
    }
}
