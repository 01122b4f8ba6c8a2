import UnwindTable

extension Architecture {
    /// The exclusive end of an FDE's rows: one byte after the start of its last instruction. A row that starts later
    /// covers no instruction. Go's FDEs for aarch64 have such a row, at the last byte.
    @inline(__always)
    static func rowLimit(from start: UInt64, to limit: UInt64) -> UInt64 {
        if pcShift == 0 { return limit }
        let unit: UInt64 = 1 &<< UInt64(pcShift)
        // The FDE's start always has a row.
        return max((limit &- 1) & ~(unit &- 1) &+ 1, start &+ 1)
    }
}
