import CLibelf

/// A section header (gABI, "Sections") with its name.
public struct Section: Hashable, Sendable {
    /// Its index in the section header table and in ``ELFImage/sections()``.
    public let index: Int
    /// Its name, from the section name string table.
    public let name: String
    /// `sh_type`
    public let type: UInt32
    /// `sh_flags`
    public let flags: UInt64
    /// `sh_addr`: an SVMA; 0 in relocatable files and for sections that aren't loaded.
    public let address: UInt64
    /// Where its bytes start in the file, in bytes.
    public let offset: UInt64
    /// In bytes, as in the file: compressed sections have their compressed size here.
    public let size: UInt64
    /// `sh_link`
    public let link: UInt32
    /// `sh_info`
    public let info: UInt32
    /// `sh_entsize`, in bytes
    public let entrySize: UInt64
    /// `sh_addralign`, in bytes
    public let alignment: UInt64

    init(index: Int, name: String, header: GElf_Shdr) {
        self.index = index
        self.name = name
        type = header.sh_type
        flags = header.sh_flags
        address = header.sh_addr
        offset = header.sh_offset
        size = header.sh_size
        link = header.sh_link
        info = header.sh_info
        entrySize = header.sh_entsize
        alignment = header.sh_addralign
    }

    /// `SHF_ALLOC`: part of the loaded image.
    public var isAllocated: Bool { flags & UInt64(SHF_ALLOC) != 0 }
    /// `SHF_ALLOC` and `SHF_EXECINSTR`: holds code.
    public var isExecutable: Bool { isAllocated && flags & UInt64(SHF_EXECINSTR) != 0 }
    /// `SHT_NOBITS`: has no bytes in this file.
    public var hasNoBits: Bool { type == UInt32(SHT_NOBITS) }
    /// `SHF_COMPRESSED` (gABI, "Section Compression"), or the older `.zdebug_*`.
    public var isCompressed: Bool { hasCompressionHeader || name.hasPrefix(".zdebug_") }

    var hasCompressionHeader: Bool { flags & UInt64(SHF_COMPRESSED) != 0 }
    var isNote: Bool { type == UInt32(SHT_NOTE) }
    var isSymbolTable: Bool { type == UInt32(SHT_SYMTAB) || type == UInt32(SHT_DYNSYM) }
    var isDebugSection: Bool { name.hasPrefix(".debug_") || name.hasPrefix(".zdebug_") }
}
