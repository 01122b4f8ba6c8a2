/// The register columns of a row that somebody wants to keep.
///
/// The interpreter is generic over this, so that each use is specialised at compile time: a table keeps a
/// few registers in plain fields, a listing keeps them all.
public protocol RegisterColumns {
    /// Whether rules for the register are kept at all.
    func keeps(_ register: UInt64) -> Bool
    func rule(for register: UInt64) -> RegisterRule
    mutating func setRule(_ rule: RegisterRule, for register: UInt64)
    /// `DW_CFA_AARCH64_negate_ra_state` and `_with_pc`: toggles whether the return address is signed, and
    /// whether the pc of the signing instruction was mixed in (AArch64 DWARF ABI).
    mutating func negateReturnAddressState(withPC: Bool)
    /// `DW_CFA_AARCH64_set_ra_state`.
    mutating func setReturnAddressState(_ state: UInt64)
    /// The CFA is, or may be, no longer computed from the register that it was; not called where only its offset
    /// changes. For columns that carry something about the whole state.
    mutating func cfaRegisterChanged()
    /// The most bytes that a value may take up, memory of its own included: bounds the depth of
    /// `DW_CFA_remember_state`.
    static var largestSize: Int { get }
}

extension RegisterColumns {
    // What columns do that have no memory of their own and say nothing of the CFA.
    @inlinable public static var largestSize: Int { MemoryLayout<Self>.stride }
    @inlinable public mutating func cfaRegisterChanged() {}
}

/// A row's rules without its location: what `DW_CFA_remember_state` keeps.
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

/// Takes the rows of one FDE, in order of rising address.
public protocol RowSink: ~Copyable {
    associatedtype Columns: RegisterColumns
    /// A row's rules hold from `location` to the next row's. `state` is valid during the call; a sink may
    /// note something of its own in the columns, which the rows behind then carry.
    ///
    /// A pointer, because the interpreter changes its state field by field: copying it in one piece right
    /// behind such a store stalls, and did so for a third of the whole time.
    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>)
    /// What the sink lends out for rows that differ only in location and CFA offset.
    associatedtype OffsetWriter: OffsetRowWriter = NoOffsetRows
    /// A writer for rows that differ from `state`, whose CFA is a register + offset, in nothing else; nil if none is
    /// to be had for a row at `location`. The sink gets no rows until it is given back.
    mutating func offsetWriter(
        at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>
    ) -> OffsetWriter?
    /// The writer, made one for rows that differ from this state. By value, so that it can stay in registers.
    mutating func aimed(_ writer: OffsetWriter, _ state: UnsafeMutablePointer<FrameState<Columns>>) -> OffsetWriter
    /// Takes over the rows of a writer.
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
