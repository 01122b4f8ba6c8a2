/// The length and CIE pointer that every CIE and FDE starts with (DWARF 5 §6.4.1, LSB Core).
public struct EntryHeader: Sendable {
    /// Offset of the entry in its section.
    public var offset: Int
    /// Offset behind the entry.
    public var end: Int
    /// Offset of the first byte behind the CIE id or CIE pointer.
    public var body: Int
    /// The CIE's offset, nil if this entry is a CIE itself. Not yet known to be a CIE.
    public var cieOffset: Int?
    /// Whether lengths are 64 bits wide.
    public var is64BitDWARF: Bool
    /// A length of zero: a terminator in .eh_frame, padding in .debug_frame.
    public var isTerminator: Bool

    @inlinable
    init(offset: Int, end: Int, body: Int, cieOffset: Int?, is64BitDWARF: Bool, isTerminator: Bool) {
        self.offset = offset
        self.end = end
        self.body = body
        self.cieOffset = cieOffset
        self.is64BitDWARF = is64BitDWARF
        self.isTerminator = isTerminator
    }
}

extension FrameSection {
    /// Reads the entry header at `offset`.
    ///
    /// - Throws: `lengthOutOfBounds` when the entry does not end inside the section: nothing behind it can
    ///   be found; `ciePointerOutOfBounds` (after which `end` of the entry is still good) is not thrown here
    ///   but reported by a CIE offset that `commonInformationEntry(at:)` refuses.
    @inlinable
    public func entryHeader(at offset: Int) throws(CFIError) -> EntryHeader {
        var cursor = cursor(offset..<bytes.count)
        let length32 = try cursor.read(UInt32.self)
        if length32 == 0 {
            return EntryHeader(
                offset: offset, end: cursor.position, body: cursor.position, cieOffset: nil,
                is64BitDWARF: false, isTerminator: true)
        }
        var length = UInt64(length32)
        let is64Bit = length32 == 0xffff_ffff
        if is64Bit {
            length = try cursor.read(UInt64.self)
        } else if length32 >= 0xffff_fff0 {
            throw .lengthOutOfBounds
        }
        guard length <= UInt64(cursor.remaining) else { throw .lengthOutOfBounds }
        let idPosition = cursor.position
        let end = idPosition &+ Int(length)
        guard length >= (is64Bit ? 8 : 4) else { throw .truncated }
        let id = is64Bit ? try cursor.read(UInt64.self) : UInt64(try cursor.read(UInt32.self))
        var cieOffset: Int?
        switch kind {
        case .ehFrame:
            // Distance back from the pointer itself, a signed number: the CIE may come later. Where there is
            // none, outside the section, the offset is refused when the CIE is asked for: -1 if it is before.
            if id != 0 {
                let distance = is64Bit ? Int64(bitPattern: id) : Int64(Int32(truncatingIfNeeded: id))
                cieOffset = max(idPosition &- Int(distance), -1)
            }
        case .debugFrame:
            let isCIE = is64Bit ? id == .max : id == 0xffff_ffff
            if !isCIE { cieOffset = id < UInt64(bytes.count) ? Int(id) : -1 }
        }
        return EntryHeader(
            offset: offset, end: end, body: cursor.position, cieOffset: cieOffset, is64BitDWARF: is64Bit,
            isTerminator: false)
    }
}
