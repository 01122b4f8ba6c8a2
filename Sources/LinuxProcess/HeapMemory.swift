import CLinux

/// The C library's heap.
public enum HeapMemory {
    /// Has memory returned to the system when it is freed, for what runs for days.
    ///
    /// By default, each thread takes memory from a heap of its own, and once a large block was freed, such blocks come from
    /// the heaps, too, which shrink only at their end: in 35 minutes of `cfic profile -a` beside compilers, the heaps grew to
    /// 288 MB, of which 95 MB were in use.
    public static func returnsFreedMemory() {
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 256 << 10)
        mallopt(M_TRIM_THRESHOLD, 128 << 10)
    }
}
