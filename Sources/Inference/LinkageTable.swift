/// Rules for a procedure linkage table, by the shapes that linkers give it.
///
/// A table is code without functions: stubs that jump to where a slot of the global offset table says, and an entry with
/// which the dynamic linker is called. Each instruction is recognised by its bytes. All entries leave the frame pointer as
/// the caller had it.
public struct LinkageTable {
    /// A range of addresses with one rule, from its address to the next row's.
    public struct Row: Equatable, Sendable {
        /// SVMA.
        public var address: UInt64
        /// CFA − stack pointer, in bytes; nil where nothing is known: padding, unknown code, the end.
        public var depth: Int64?
        /// Whether the return address is in the link register, x30, as in aarch64's stubs; else it is at CFA − 8.
        public var isInLinkRegister: Bool

        public init(address: UInt64, depth: Int64?, isInLinkRegister: Bool = false) {
            self.address = address
            self.depth = depth
            self.isInLinkRegister = isInLinkRegister
        }
    }

    let bytes: UnsafeRawBufferPointer
    let address: UInt64
    private(set) var rows: [Row] = []

    /// The rows of a table in ascending address order; neighbours have different rules. The last one has no rule: it is
    /// where the last recognised entry ends. `[]` if no entry has a known shape.
    ///
    /// - Parameters:
    ///   - bytes: a section, `.plt`, `.plt.sec`, `.plt.got` or `.iplt`, from its start on: that is where the entry for the
    ///     dynamic linker is looked for.
    ///   - address: the section's SVMA.
    ///   - isAArch64: whether it has little-endian instructions of aarch64, else of x86-64.
    public static func rows(_ bytes: UnsafeRawBufferPointer, at address: UInt64, isAArch64: Bool) -> [Row] {
        var table = LinkageTable(bytes: bytes, address: address)
        if isAArch64 { table.readAArch64() } else { table.readX86_64() }
        return table.rows
    }

    private init(bytes: UnsafeRawBufferPointer, address: UInt64) {
        self.bytes = bytes
        self.address = address
    }

    /// A row at the end of those so far, or in place of the last one if that is at the same offset.
    mutating func append(_ offset: Int, depth: Int64?, isInLinkRegister: Bool = false) {
        let row = Row(
            address: address &+ UInt64(offset), depth: depth, isInLinkRegister: isInLinkRegister)
        if rows.last?.address == row.address { rows.removeLast() }
        if let last = rows.last {
            if (last.depth, last.isInLinkRegister) == (depth, isInLinkRegister) { return }
        } else if depth == nil {
            return
        }
        rows.append(row)
    }

    /// 4 little-endian bytes at an offset; what the section doesn't have is 0.
    func word(at offset: Int) -> UInt32 {
        if offset + 4 <= bytes.count {
            return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        return (offset..<max(offset, bytes.count)).reversed().reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
    }
}
