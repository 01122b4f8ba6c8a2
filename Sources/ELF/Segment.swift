import CLibelf

/// A program header (gABI, "Program Header").
public struct Segment: Hashable, Sendable {
    /// `p_type`
    public let type: UInt32
    /// `p_flags`: `PF_R`, `PF_W`, `PF_X`.
    public let flags: UInt32
    /// Where its bytes start in the file, in bytes.
    public let offset: UInt64
    /// The SVMA of its first byte.
    public let virtualAddress: UInt64
    /// Bytes in the file, as stated; the file may have fewer.
    public let fileSize: UInt64
    /// Bytes in memory.
    public let memorySize: UInt64
    /// `p_align`, in bytes.
    public let alignment: UInt64

    init(_ header: GElf_Phdr) {
        type = header.p_type
        flags = header.p_flags
        offset = header.p_offset
        virtualAddress = header.p_vaddr
        fileSize = header.p_filesz
        memorySize = header.p_memsz
        alignment = header.p_align
    }

    /// `PT_LOAD`
    public var isLoad: Bool { type == 1 }
    /// `PF_X`
    public var isExecutable: Bool { flags & 1 != 0 }
    var isDynamic: Bool { type == 2 }
    var isInterpreter: Bool { type == 3 }
    var isNote: Bool { type == 4 }
    /// `PT_GNU_EH_FRAME` (LSB, "Program Header")
    var isEHFrameHeader: Bool { type == 0x6474_e550 }

    /// How many of its bytes a file of `imageSize` bytes really has and the kernel loads: the file may be truncated,
    /// and bytes beyond `p_memsz` are not loaded.
    func fileBackedSize(imageSize: UInt64) -> UInt64 {
        offset < imageSize ? min(fileSize, memorySize, imageSize - offset) : 0
    }
}
