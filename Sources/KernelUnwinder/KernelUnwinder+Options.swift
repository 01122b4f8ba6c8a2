import CUnwindTable
import UnwindTable
import LinuxProcess

extension KernelUnwinder {
    /// How stacks are sampled, and how much memory that may take.
    public struct Options: Sendable {
        /// Whether samples that interrupt the kernel include its frames.
        public var kernelFrames = true
        /// Whether children of sampled processes are sampled, too.
        public var followsChildren = true
        /// Whether all processes and kernel threads are sampled, not only those that are added. A process whose mappings
        /// are not known has samples of one frame, which end with `NO_PROCESS`; add it then.
        public var samplesEveryone = false
        /// Which of the threads are sampled.
        public var filter = SampleFilter()
        /// N: a tracepoint triggers samples, each Nth of its hits on each CPU, of those by threads that are to be sampled.
        /// Nil: another event does.
        public var tracepointPeriod: UInt32?
        /// How waits are sampled; nil if they aren't.
        public var waits: WaitSampling?
        /// The largest number of processes at once; nil for as many as the machine can have, by its limits of process ids
        /// and threads. Each takes up to 96 bytes of kernel memory, which is allocated at the start.
        public var processLimit: Int?
        var usedProcessLimit: Int { processLimit ?? ProcessCapacity.limit }
        /// The size of the ring buffer for samples, in bytes: a power of two, at least a memory page.
        public var sampleBytes = 1 << 20
        /// Bytes of kernel memory that tables and mappings may take, from 4 MiB to 4 GiB. It is allocated as needed, 4 MiB at
        /// a time. If tables need more, those that samples use least are evicted.
        public var tableBudget = 256 << 20
        /// What ``tableBudget`` can be: at least a piece, and at most what the BPF programs can address.
        public static var tableBudgets: ClosedRange<Int> {
            Int(CFIC_ELEMENT_SIZE)...Int(CFIC_ELEMENTS_MAX) * Int(CFIC_ELEMENT_SIZE)
        }
        /// Whether the stacks that the kernel can't follow, for want of a register, a rule or a table that is still being
        /// made, come with what user space needs to go on. `Recorder` then does.
        public var finishesStacks = false
        /// N: every Nth walk on each CPU comes with a snapshot of registers and stack; 0: none.
        package var snapshotEvery = 0
        /// The size of the ring buffer for snapshots, in bytes: a power of two. A snapshot takes about 69 KiB of it.
        var snapshotBytes: Int {
            // Those of all walks come steadily; the others in bursts, from all CPUs.
            if snapshotEvery > 0 { return 1 << 24 }
            let each = 1 << (Int.bitWidth - (KernelUnwinder.onlineCPUCount - 1).leadingZeroBitCount)
            return min(max(4, each), 64) << 20
        }
        /// Whether to load also the BPF programs that look up and walk on request (cfic/batch.h), for tests and
        /// benchmarks.
        package var batches = false
        /// The machine whose tables the look-ups on request are for; nil: this machine.
        package var lookupMachine: TableMachine?

        /// The defaults: kernel frames and children too, as many processes as there may be, and 256 MiB of table memory.
        public init() {}
    }
}
