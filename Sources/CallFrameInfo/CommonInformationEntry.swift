/// A CIE: the data shared by the FDEs that point to it (DWARF 5 §6.4.1; augmentations: LSB Core).
public struct CommonInformationEntry: Sendable {
    /// Offset in the section.
    public var offset: Int
    /// Offset of the entry's end (exclusive).
    public var end: Int
    public var version: UInt8
    /// The augmentation string's bytes, without the NUL.
    public var augmentation: Range<Int>
    /// Augmentation data ('z'), for listings.
    public var augmentationData: Range<Int>
    /// Size of an address in bytes.
    public var addressSize: Int
    public var codeAlignment: UInt64
    public var dataAlignment: Int64
    /// Column of the return address, which may differ from the architecture's usual one.
    public var returnAddressRegister: UInt64
    /// 'R': encoding of the FDEs' addresses.
    public var pointerEncoding: PointerEncoding = .absolute
    /// 'L': encoding of the FDEs' language-specific data pointer.
    public var lsdaEncoding: PointerEncoding = .omit
    /// 'z': FDEs carry sized augmentation data.
    public var hasAugmentationData = false
    /// 'S': a signal handler's frame; the caller's pc is exact.
    public var isSignalFrame = false
    /// 'B': return addresses are signed with key B (AArch64).
    public var usesBKey = false
    /// 'G': the stack is tagged (AArch64 MTE).
    public var isTagged = false
    public var initialInstructions: Range<Int>
    public var is64BitDWARF: Bool
}

extension FrameSection {
    /// Reads the CIE at `offset`.
    ///
    /// - Throws: if the CIE can't be used. Then the FDEs that refer to it can't be used either.
    public func commonInformationEntry(at offset: Int) throws(CFIError) -> CommonInformationEntry {
        guard offset >= 0, offset < bytes.count else { throw .ciePointerOutOfBounds }
        let header = try entryHeader(at: offset)
        guard !header.isTerminator, header.cieOffset == nil else { throw .notACIE }
        var cursor = cursor(header.body..<header.end)

        let version = try cursor.readU8()
        guard version == 1 || version == 3 || version == 4 else { throw .unsupportedVersion }
        let augmentation = try cursor.readString()
        var letters = bytes[augmentation]
        var addressSize = addressSize
        if letters.elementsEqual("eh".utf8) {
            // GCC 2: the address of an exception table follows.
            try cursor.skip(UInt64(addressSize))
            letters = bytes[augmentation.upperBound..<augmentation.upperBound]
        }
        if version == 4 {
            addressSize = Int(try cursor.readU8())
            guard addressSize == 2 || addressSize == 4 || addressSize == 8 else { throw .unsupportedAddressSize }
            guard try cursor.readU8() == 0 else { throw .unsupportedSegmentSelector }
        }
        let codeAlignment = try cursor.readULEB()
        let dataAlignment = try cursor.readSLEB()
        let returnAddressRegister = version == 1 ? UInt64(try cursor.readU8()) : try cursor.readULEB()
        var entry = CommonInformationEntry(
            offset: offset, end: header.end, version: version, augmentation: augmentation,
            augmentationData: cursor.position..<cursor.position, addressSize: addressSize,
            codeAlignment: codeAlignment, dataAlignment: dataAlignment,
            returnAddressRegister: returnAddressRegister, initialInstructions: 0..<0,
            is64BitDWARF: header.is64BitDWARF)
        try readAugmentation(letters, into: &entry, cursor: &cursor)
        entry.initialInstructions = cursor.position..<header.end
        return entry
    }

    private func readAugmentation(
        _ letters: Slice<UnsafeRawBufferPointer>, into entry: inout CommonInformationEntry, cursor: inout ByteCursor
    ) throws(CFIError) {
        if letters.isEmpty || letters.elementsEqual("armcc+".utf8) { return }
        guard letters.first == UInt8(ascii: "z") else {
            // Without 'z' the data has no size, so only letters without data can be skipped.
            for letter in letters {
                switch letter {
                case UInt8(ascii: "S"): entry.isSignalFrame = true
                case UInt8(ascii: "B"): entry.usesBKey = true
                case UInt8(ascii: "G"): entry.isTagged = true
                default: throw .unsupportedAugmentation
                }
            }
            return
        }
        entry.hasAugmentationData = true
        let block = try cursor.readBlock(try cursor.readULEB())
        entry.augmentationData = block
        var data = self.cursor(block)
        letters: for letter in letters.dropFirst() {
            switch letter {
            case UInt8(ascii: "R"):
                entry.pointerEncoding = PointerEncoding(rawValue: try data.readU8())
                guard entry.pointerEncoding.isKnown, entry.pointerEncoding != .omit else {
                    throw .unsupportedPointerEncoding
                }
            case UInt8(ascii: "L"):
                entry.lsdaEncoding = PointerEncoding(rawValue: try data.readU8())
            case UInt8(ascii: "P"):
                try skipPersonality(&data, addressSize: entry.addressSize)
            case UInt8(ascii: "S"): entry.isSignalFrame = true
            case UInt8(ascii: "B"): entry.usesBKey = true
            case UInt8(ascii: "G"): entry.isTagged = true
            default: break letters  // the size of its data is unknown, but the block's end is known
            }
        }
    }

    /// 'P': not used, but skipped, because the data of later letters follows it.
    private func skipPersonality(_ data: inout ByteCursor, addressSize: Int) throws(CFIError) {
        let encoding = PointerEncoding(rawValue: try data.readU8())
        guard encoding.isKnown else { throw .unsupportedPointerEncoding }
        if encoding == .omit { return }
        if encoding.application == 0x50 {
            let here = address &+ UInt64(data.position)
            try data.skip((UInt64(addressSize) &- here % UInt64(addressSize)) % UInt64(addressSize))
            try data.skip(UInt64(addressSize))
        } else {
            _ = try readValue(&data, format: encoding.format, addressSize: addressSize)
        }
    }
}
