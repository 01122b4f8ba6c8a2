/// The register columns of a row that the interpreter's caller tracks.
///
/// The interpreter is generic over this, so that each use is specialised at compile time: tables track a few registers
/// in plain fields, listings track all registers.
public protocol RegisterColumns {
    /// Whether rules for the register are tracked.
    func keeps(_ register: UInt64) -> Bool
    func rule(for register: UInt64) -> RegisterRule
    mutating func setRule(_ rule: RegisterRule, for register: UInt64)
    /// `DW_CFA_AARCH64_negate_ra_state` and `_with_pc`: toggles whether the return address is signed and, for the
    /// latter, whether the pc of the signing instruction was a modifier (AArch64 DWARF ABI).
    mutating func negateReturnAddressState(withPC: Bool)
    /// `DW_CFA_AARCH64_set_ra_state`.
    mutating func setReturnAddressState(_ state: UInt64)
    /// Called when the CFA's register, or its kind, may have changed; not when only its offset changes. For columns
    /// that carry data about the whole state.
    mutating func cfaRegisterChanged()
    /// The largest size of a value in bytes, including memory that it allocates. It bounds the depth of
    /// `DW_CFA_remember_state`.
    static var largestSize: Int { get }
}

extension RegisterColumns {
    // Defaults for columns that allocate no memory and carry no data about the CFA.
    @inlinable public static var largestSize: Int { MemoryLayout<Self>.stride }
    @inlinable public mutating func cfaRegisterChanged() {}
}

/// A row's rules without its location. `DW_CFA_remember_state` saves one.
public struct FrameState<Columns: RegisterColumns> {
    public var cfa: CFARule
    public var columns: Columns

    @inlinable
    public init(columns: Columns) {
        cfa = .undefined
        self.columns = columns
    }

    @inlinable
    mutating func setCFA(_ rule: CFARule) {
        cfa = rule
        columns.cfaRegisterChanged()
    }
}

/// Receives the rows of one FDE, in ascending address order.
public protocol RowSink: ~Copyable {
    associatedtype Columns: RegisterColumns
    /// Receives a row, whose rules hold from `location` to the next row's. `state` is valid during the call. A sink may
    /// store data of its own in the columns; later rows then carry it.
    ///
    /// A pointer, because the interpreter changes its state field by field. Copying the state in one piece right after
    /// such a store stalls (failed store forwarding), which took a third of the total time.
    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>)
    /// Takes rows that differ only in location and CFA offset.
    associatedtype OffsetWriter: OffsetRowWriter = NoOffsetRows
    /// Lends a writer for rows that differ from `state`, whose CFA is register + offset, only in location and CFA
    /// offset. Nil if there is no writer for a row at `location`. The sink gets no rows until `takeBack`.
    mutating func offsetWriter(
        at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>
    ) -> OffsetWriter?
    /// The writer, changed to take rows that differ from `state`. By value, so that it can stay in registers.
    mutating func aimed(_ writer: OffsetWriter, _ state: UnsafeMutablePointer<FrameState<Columns>>) -> OffsetWriter
    /// Ends the loan and takes over the writer's rows.
    mutating func takeBack(_ writer: OffsetWriter)
}

extension RowSink where Self: ~Copyable, OffsetWriter == NoOffsetRows {
    @inlinable @inline(__always)
    public mutating func offsetWriter(
        at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>
    ) -> NoOffsetRows? { nil }

    @inlinable @inline(__always)
    public mutating func aimed(
        _ writer: NoOffsetRows, _ state: UnsafeMutablePointer<FrameState<Columns>>
    ) -> NoOffsetRows { writer }

    @inlinable @inline(__always)
    public mutating func takeBack(_ writer: NoOffsetRows) {}
}
