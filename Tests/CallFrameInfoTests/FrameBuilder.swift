import CallFrameInfo

/// Writes a call frame section byte by byte. Defaults are what compilers write for x86-64.
struct FrameBuilder {
    var kind = FrameSection.Kind.ehFrame
    var machine: UInt16 = 62
    var addressSize = 8
    var isBigEndian = false
    /// SVMA of the section.
    var address: UInt64 = 0
    var endsAtTerminator = false
    var bytes: [UInt8] = []

    /// The initial instructions of most CIEs for x86-64: CFA = rsp + 8, return address at CFA - 8.
    static let usual: [UInt8] = [0x0c, 7, 8, 0x90, 1]

    /// Appends a CIE, and returns its offset.
    ///
    /// - Parameter augmentationData: written after its length; nil writes neither.
    @discardableResult
    mutating func cie(
        version: UInt8 = 1, augmentation: String = "", behindAugmentation: [UInt8] = [], code: [UInt8] = [1],
        data: [UInt8] = [0x78], returnAddress: [UInt8] = [16], augmentationData: [UInt8]? = nil,
        instructions: [UInt8] = usual, is64BitDWARF: Bool = false
    ) -> Int {
        let sized = augmentationData.map { uleb(UInt64($0.count)) + $0 } ?? []
        let body =
            [version] + Array(augmentation.utf8) + [0] + behindAugmentation + code + data + returnAddress
            + sized + instructions
        let identifier: UInt64 = kind == .ehFrame ? 0 : .max
        return entry(body, is64BitDWARF: is64BitDWARF) { _ in identifier }
    }

    /// Appends an FDE, and returns its offset. `range` is the encoded start and length, if they aren't plain addresses.
    @discardableResult
    mutating func fde(
        cie: Int, start: UInt64 = 0x1000, length: UInt64 = 0x100, range: [UInt8]? = nil,
        augmentationData: [UInt8]? = nil, instructions: [UInt8] = [], is64BitDWARF: Bool = false
    ) -> Int {
        let sized = augmentationData.map { uleb(UInt64($0.count)) + $0 } ?? []
        let range = range ?? integer(start, size: addressSize) + integer(length, size: addressSize)
        let isEHFrame = kind == .ehFrame
        return entry(range + sized + instructions, is64BitDWARF: is64BitDWARF) { position in
            UInt64(bitPattern: Int64(isEHFrame ? position &- cie : cie))
        }
    }

    /// Appends a length of zero, and returns its offset.
    @discardableResult
    mutating func terminator() -> Int {
        bytes += [0, 0, 0, 0]
        return bytes.count - 4
    }

    /// Appends an entry. `identifier` computes the CIE pointer from its own offset.
    private mutating func entry(_ body: [UInt8], is64BitDWARF: Bool, identifier: (Int) -> UInt64) -> Int {
        let offset = bytes.count
        let size = is64BitDWARF ? 8 : 4
        if is64BitDWARF { bytes += [0xff, 0xff, 0xff, 0xff] }
        bytes += integer(UInt64(size + body.count), size: size)
        bytes += integer(identifier(bytes.count), size: size)
        bytes += body
        return offset
    }

    func integer(_ value: UInt64, size: Int) -> [UInt8] {
        let littleEndian = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        return isBigEndian ? littleEndian.reversed() : littleEndian
    }

    func withSection<Result>(_ body: (FrameSection) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeBytes { bytes in
            try body(
                FrameSection(
                    kind: kind, bytes: bytes, address: address, textAddress: 0x10_0000, dataAddress: 0x20_0000,
                    addressSize: addressSize, isBigEndian: isBigEndian, machine: machine,
                    endsAtTerminator: endsAtTerminator))
        }
    }
}

func uleb(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f) | 0x80] + uleb(value >> 7)
}

func sleb(_ value: Int64) -> [UInt8] {
    (-0x40..<0x40).contains(value)
        ? [UInt8(value & 0x7f)] : [UInt8(value & 0x7f) | 0x80] + sleb(value >> 7)
}
