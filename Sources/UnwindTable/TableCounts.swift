import CUnwindTable

/// What the compiler counted while it made a table: for statistics, not for lookups.
public struct TableCounts: Equatable, Sendable {
    /// Rows of the call frame information as written.
    public var rawRows: UInt64 = 0
    /// Rows of the table, after merging equal neighbours and absorbing padding; includes rows that mark gaps.
    public var rows: UInt64 = 0
    /// Executable bytes of the file.
    public var executableBytes: UInt64 = 0
    /// Bytes that an FDE covers.
    public var coveredBytes: UInt64 = 0
    /// Bytes with a rule or an end of stack: the covered bytes, except those with a ``Reason``.
    public var loweredBytes: UInt64 = 0
    /// Bytes of padding between functions that have the preceding rule.
    public var absorbedBytes: UInt64 = 0
    /// FDEs with a range of addresses.
    public var fdes: UInt32 = 0
    /// FDEs that are malformed, as a whole or in part.
    public var badFDEs: UInt32 = 0
    /// FDEs that overlap an earlier one.
    public var overlappingFDEs: UInt32 = 0
    /// FDEs that are empty, or have no bytes in an executable segment.
    public var droppedFDEs: UInt32 = 0

    package init() {}

    package init(_ fields: cfic_counts) {
        rawRows = fields.raw_rows
        rows = fields.rows
        executableBytes = fields.executable_bytes
        coveredBytes = fields.covered_bytes
        loweredBytes = fields.lowered_bytes
        absorbedBytes = fields.absorbed_bytes
        fdes = fields.fdes
        badFDEs = fields.bad_fdes
        overlappingFDEs = fields.overlapping_fdes
        droppedFDEs = fields.dropped_fdes
    }

    /// The same as a header has it.
    package var fields: cfic_counts {
        cfic_counts(
            raw_rows: rawRows, rows: rows, executable_bytes: executableBytes, covered_bytes: coveredBytes,
            lowered_bytes: loweredBytes, absorbed_bytes: absorbedBytes, fdes: fdes, bad_fdes: badFDEs,
            overlapping_fdes: overlappingFDEs, dropped_fdes: droppedFDEs)
    }

    /// The fraction of the executable bytes, 0 to 1, that have a rule or are an end of stack, including absorbed
    /// padding; nil if there are no executable bytes.
    public var coverage: Double? {
        executableBytes == 0 ? nil : min(1, (Double(loweredBytes) + Double(absorbedBytes)) / Double(executableBytes))
    }

    /// The number of bytes that FDEs cover but that have no rule.
    public var unsupportedBytes: UInt64 { coveredBytes - min(loweredBytes, coveredBytes) }
}
