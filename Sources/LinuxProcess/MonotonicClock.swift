import Glibc

/// The clock of perf records and samples: CLOCK_MONOTONIC, in nanoseconds.
package enum MonotonicClock {
    package static var now: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
