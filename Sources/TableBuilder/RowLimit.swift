import UnwindTable

extension Architecture {
    /// Where an FDE's rows end: behind the first byte of its last instruction. A row that begins later holds at no
    /// instruction, as the last one of Go's FDEs for aarch64, which is at the byte before the end.
    @inline(__always)
    static func rowLimit(from start: UInt64, to limit: UInt64) -> UInt64 {
        if pcShift == 0 { return limit }
        let unit: UInt64 = 1 &<< UInt64(pcShift)
        // Where the FDE begins there always is a row.
        return max((limit &- 1) & ~(unit &- 1) &+ 1, start &+ 1)
    }
}
