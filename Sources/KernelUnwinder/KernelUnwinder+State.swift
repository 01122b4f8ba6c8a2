import CLinux
import TableSupply

/// What it consists of, and how it was made.
extension KernelUnwinder {
    /// The BPF programs as an object file (ELF, BPF), for other loaders.
    public static var objectFile: [UInt8] { KernelObject.bytes }

    /// The running kernel's release, from uname(2).
    public static var kernelRelease: String { LoadCheck.release }

    /// The verifier's work for each BPF program.
    public var verifiedPrograms: [VerifiedProgram] { object.verified + (waits?.object.verified ?? []) }

    var followsChildren: Bool { options.followsChildren }

    /// Whether a tracepoint triggers samples, rather than another event.
    var samplesTracepoint: Bool { options.tracepointPeriod != nil }

    /// The number of images whose tables are being made.
    public var pendingTables: Int { images.pendingCount }

    /// How requests for tables have been answered; nil if the supply doesn't count them.
    public var tableAnswers: SupplyAnswers? { images.answers }

    /// The sizes of the ring buffers for samples and for snapshots, in bytes. The latter is 0 if there are no snapshots.
    public var ringBytes: (samples: Int, snapshots: Int) {
        (options.sampleBytes, options.usesSnapshots ? options.snapshotBytes : 0)
    }

    /// `Options.samplesEveryone`
    package var samplesEveryone: Bool { options.samplesEveryone }

    /// Whether waits are sampled: ``Options/waits``.
    public var samplesWaits: Bool { waits != nil }

    /// `Options.finishesStacks`
    package var finishesStacks: Bool { options.finishesStacks }

    /// The bits of a signed return address that belong to the address; all bits if addresses aren't signed.
    package static var addressBits: UInt64 { perf_address_bits() }

    /// Called with the description of a problem that doesn't stop the unwinder.
    public var onProblem: (String) -> Void {
        get { images.onProblem }
        set { images.onProblem = newValue }
    }
}
