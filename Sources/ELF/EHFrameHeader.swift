import Files

extension ELFImage {
    /// `.eh_frame`, found through `PT_GNU_EH_FRAME` and the pointer in `.eh_frame_hdr` (LSB, "The .eh_frame_hdr
    /// section"); nil if there is no such segment, or if the file doesn't contain it (a debug file).
    ///
    /// Uses nothing else of `.eh_frame_hdr`, as the rest may be wrong.
    func ehFrameFoundBySegments() throws(ELFError) -> CallFrameSection? {
        guard let segment = segments.first(where: \.isEHFrameHeader), segment.offset < size, segment.fileSize > 0
        else { return nil }
        // Four bytes of header and at most 10 bytes of pointer.
        let head = try source.read(
            offset: segment.offset, count: Int(min(14, segment.fileSize, size - segment.offset)), name: name)
        let pointer = head.withUnsafeBytes { bytes in
            EHFrameHeader(bytes: bytes, is64Bit: is64Bit, isBigEndian: isBigEndian)
                .ehFrameAddress(headerAddress: segment.virtualAddress)
        }
        let address: UInt64
        switch pointer {
        case .success(let found): address = is64Bit ? found : found & 0xffff_ffff
        case .failure(let problem):
            throw ELFError(
                file: name, section: ".eh_frame_hdr", offset: UInt64(problem.offset), kind: problem.kind)
        }
        let home = segments.first {
            $0.isLoad && address >= $0.virtualAddress
                && address - $0.virtualAddress < $0.fileBackedSize(imageSize: size)
        }
        guard let home else {
            throw malformed(
                "points to .eh_frame at \(address.hex), where nothing is loaded", section: ".eh_frame_hdr", offset: 4)
        }
        let skipped = address - home.virtualAddress
        let bytes = try fileBytes(
            offset: home.offset + skipped, count: home.fileBackedSize(imageSize: size) - skipped, section: ".eh_frame")
        return CallFrameSection(
            kind: .ehFrame, name: ".eh_frame", bytes: bytes, address: address, textAddress: 0, dataAddress: 0,
            fileOffset: home.offset + skipped, endsAtTerminator: true, image: self)
    }
}

/// The start of `.eh_frame_hdr`: a version, three pointer encodings, then the encoded address of `.eh_frame`.
struct EHFrameHeader {
    let bytes: UnsafeRawBufferPointer
    let is64Bit: Bool
    let isBigEndian: Bool

    struct Problem: Error {
        let offset: Int
        let kind: ELFError.Kind
    }

    /// The SVMA of `.eh_frame`, given that of `.eh_frame_hdr`.
    func ehFrameAddress(headerAddress: UInt64) -> Result<UInt64, Problem> {
        guard bytes.count > 4 else { return .failure(Problem(offset: bytes.count, kind: .malformed("cut off"))) }
        guard bytes[0] == 1 else {
            return .failure(Problem(offset: 0, kind: .unsupported("version \(bytes[0])")))
        }
        let encoding = bytes[1]
        let base: UInt64
        switch encoding & 0xf0 {
        case 0x00: base = 0  // DW_EH_PE_absptr
        case 0x10: base = headerAddress &+ 4  // DW_EH_PE_pcrel: the pointer is the fifth byte
        case 0x30: base = headerAddress  // DW_EH_PE_datarel: relative to .eh_frame_hdr itself
        default:
            return .failure(Problem(offset: 1, kind: .unsupported("pointer encoding \(encoding.hex)")))
        }
        guard let format = Self.isKnown(format: encoding & 0x0f) else {
            return .failure(Problem(offset: 1, kind: .unsupported("pointer encoding \(encoding.hex)")))
        }
        guard let value = pointer(format: format) else {
            return .failure(Problem(offset: 4, kind: .malformed("the pointer to .eh_frame is cut off")))
        }
        return .success(base &+ value)
    }

    private static func isKnown(format: UInt8) -> UInt8? {
        [0x00, 0x01, 0x02, 0x03, 0x04, 0x09, 0x0a, 0x0b, 0x0c].contains(format) ? format : nil
    }

    /// The pointer at offset 4, sign-extended if its format is signed; nil if it is cut off.
    private func pointer(format: UInt8) -> UInt64? {
        switch format {
        case 0x00: is64Bit ? load(UInt64.self) : load(UInt32.self)  // DW_EH_PE_absptr
        case 0x02: load(UInt16.self)
        case 0x03: load(UInt32.self)
        case 0x04: load(UInt64.self)
        case 0x0a: load(Int16.self)
        case 0x0b: load(Int32.self)
        case 0x0c: load(Int64.self)
        default: leb128(signed: format == 0x09)
        }
    }

    private func load<T: FixedWidthInteger>(_ type: T.Type) -> UInt64? {
        bytes.integer(type, at: 4, bigEndian: isBigEndian).map { UInt64(truncatingIfNeeded: $0) }
    }

    /// LEB128 (DWARF 5, 7.6) of at most 64 bits.
    private func leb128(signed: Bool) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for byte in bytes.dropFirst(4) where shift < 64 {
            value |= UInt64(byte & 0x7f) << shift
            shift += 7
            if byte & 0x80 == 0 {
                if signed, shift < 64, byte & 0x40 != 0 { value |= ~0 << shift }
                return value
            }
        }
        return nil
    }
}
