/// The length and CIE pointer that every CIE and FDE starts with (DWARF 5 §6.4.1, LSB Core).
public struct EntryHeader: Sendable {
    /// Offset of the entry in its section.
    public var offset: Int
    /// Offset of the entry's end (exclusive).
    public var end: Int
    /// Offset of the first byte after the CIE id or CIE pointer.
    public var body: Int
    /// The offset that the CIE pointer gives, which need not be that of a CIE; nil if this entry is a CIE itself.
    public var cieOffset: Int?
    /// Whether the entry has the 64-bit format, with 64-bit length and CIE pointer (DWARF 5 §7.4).
    public var is64BitDWARF: Bool
    /// Whether the length is zero: a terminator in .eh_frame, padding in .debug_frame.
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
    /// A CIE pointer to outside the section is no error here, because `end` is still valid: `cieOffset` then is an
    /// offset that `commonInformationEntry(at:)` rejects with `ciePointerOutOfBounds`.
    ///
    /// - Throws: `lengthOutOfBounds` if the entry doesn't end within the section, so that no entry after it can be
    ///   found; `truncated` if the header itself is incomplete.
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
            // The distance from the CIE back to this pointer. It is signed, because the CIE may come later. Negative
            // offsets become -1, which `commonInformationEntry(at:)` rejects.
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
