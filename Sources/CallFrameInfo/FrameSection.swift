/// The bytes of an `.eh_frame` or `.debug_frame` section, with everything needed to decode them.
public struct FrameSection {
    public enum Kind: UInt8, Sendable {
        /// LSB Core, "Exception Frames".
        case ehFrame
        /// DWARF 5 §6.4.
        case debugFrame
    }

    public var kind: Kind
    /// The section's bytes. Their owner must keep them alive and unchanged while the section is used.
    public var bytes: UnsafeRawBufferPointer
    /// SVMA of the first byte: the base of `DW_EH_PE_pcrel`.
    public var address: UInt64
    /// Base of `DW_EH_PE_textrel`.
    public var textAddress: UInt64
    /// Base of `DW_EH_PE_datarel`.
    public var dataAddress: UInt64
    /// Size of an address in bytes: 4 or 8, from the ELF class.
    public var addressSize: Int
    public var isBigEndian: Bool
    /// ELF `e_machine`: the meaning of some instructions depends on it.
    public var machine: UInt16
    /// Whether a zero length ends the scan: true if the size of the section is unknown.
    public var endsAtTerminator: Bool

    public init(
        kind: Kind, bytes: UnsafeRawBufferPointer, address: UInt64, textAddress: UInt64 = 0,
        dataAddress: UInt64 = 0, addressSize: Int = 8, isBigEndian: Bool = false, machine: UInt16,
        endsAtTerminator: Bool = false
    ) {
        self.kind = kind
        self.bytes = bytes
        self.address = address
        self.textAddress = textAddress
        self.dataAddress = dataAddress
        self.addressSize = addressSize
        self.isBigEndian = isBigEndian
        self.machine = machine
        self.endsAtTerminator = endsAtTerminator
    }

    /// Address of the first byte. An empty section may have none; then this must not be read through.
    @inlinable var base: UnsafeRawPointer { bytes.baseAddress ?? FrameSection.nothing }

    /// A cursor over `range`, which must be within the section.
    @inlinable
    public func cursor(_ range: Range<Int>) -> ByteCursor {
        ByteCursor(base: base, position: range.lowerBound, end: range.upperBound, isBigEndian: isBigEndian)
    }

    /// Truncates an address to this section's address size.
    @inlinable
    public func wrap(_ address: UInt64) -> UInt64 {
        addressSize == 8 ? address : address & 0xffff_ffff
    }
}

extension FrameSection {
    /// Stands for the base address of an empty section; never read through.
    @usableFromInline
    nonisolated(unsafe) static let nothing = UnsafeRawPointer(
        UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))
}
