import CLibelf

/// libelf's view of an image. All calls of libelf are here. Its pointers stay here, except those to bytes, which are
/// valid as long as this object exists.
///
/// libelf allocates as much as it is asked for, so callers must first check offsets, sizes and counts against the size
/// of the image.
final class LibelfHandle {
    private let elf: OpaquePointer
    /// The source of `elf`'s bytes; must outlive it.
    private let source: ImageBytes

    /// `elf_version` must be called once per process.
    private static let isUsable = elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE)

    /// `elf_begin` with `ELF_C_READ`, or `elf_memory`; nil if libelf rejects the image (``lastError()``).
    init?(_ source: ImageBytes) {
        guard Self.isUsable else { return nil }
        let elf: OpaquePointer? =
            switch source {
            case .file(let file): elf_begin(file.descriptor, ELF_C_READ, nil)
            case .memory(let memory):
                elf_memory(memory.bytes.baseAddress?.assumingMemoryBound(to: CChar.self), memory.bytes.count)
            }
        guard let elf else { return nil }
        guard elf_kind(elf) == ELF_K_ELF else {
            elf_end(elf)
            return nil
        }
        self.elf = elf
        self.source = source
    }

    deinit {
        elf_end(elf)
    }

    /// libelf's message for the last failure in this thread.
    static func lastError() -> String {
        elf_errmsg(-1).map { String(cString: $0) } ?? "unknown libelf error"
    }

    /// `gelf_getehdr`
    var header: GElf_Ehdr? {
        var header = GElf_Ehdr()
        return gelf_getehdr(elf, &header) == nil ? nil : header
    }

    /// `elf_getphdrnum`, which also handles a number in section header 0 (`PN_XNUM`).
    var programHeaderCount: Int? {
        var count = 0
        return elf_getphdrnum(elf, &count) == 0 ? count : nil
    }

    /// `gelf_getphdr`
    func programHeader(_ index: Int) -> GElf_Phdr? {
        var header = GElf_Phdr()
        return gelf_getphdr(elf, Int32(clamping: index), &header) == nil ? nil : header
    }

    /// `elf_getshdrnum`, which also handles a number in section header 0. 0 if the headers don't fit the file.
    var sectionCount: Int? {
        var count = 0
        return elf_getshdrnum(elf, &count) == 0 ? count : nil
    }

    /// `elf_getshdrstrndx`: the index of the section with the section names; 0 if there is none.
    var sectionNamesIndex: Int? {
        var index = 0
        return elf_getshdrstrndx(elf, &index) == 0 ? index : nil
    }

    /// `gelf_getshdr`; the first call reads all section headers.
    func sectionHeader(_ index: Int) -> GElf_Shdr? {
        var header = GElf_Shdr()
        return gelf_getshdr(elf_getscn(elf, index), &header) == nil ? nil : header
    }

    /// `elf_getdata_rawchunk`: the bytes as in the file; one `pread` for a file, none for memory.
    func chunk(offset: UInt64, count: Int) -> UnsafeRawBufferPointer? {
        guard count > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard let offset = Int64(exactly: offset),
            let data = elf_getdata_rawchunk(elf, offset, count, ELF_T_BYTE)
        else { return nil }
        return UnsafeRawBufferPointer(start: data.pointee.d_buf, count: data.pointee.d_size)
    }

    /// `gelf_getchdr`: the header of an `SHF_COMPRESSED` section.
    func compressionHeader(_ index: Int) -> GElf_Chdr? {
        var header = GElf_Chdr()
        return gelf_getchdr(elf_getscn(elf, index), &header) == nil ? nil : header
    }

    /// `elf_compress` with type 0, which decompresses. Allocates the size that the section's header states.
    func unpack(_ index: Int) -> UnsafeRawBufferPointer? {
        let section = elf_getscn(elf, index)
        guard elf_compress(section, 0, 0) >= 0 else { return nil }
        return rawData(section)
    }

    /// `elf_compress_gnu` with type 0, which decompresses `.zdebug_*`. Allocates the size that the section's first
    /// bytes state.
    func unpackGNU(_ index: Int) -> UnsafeRawBufferPointer? {
        let section = elf_getscn(elf, index)
        guard elf_compress_gnu(section, 0, 0) == 1 else { return nil }
        return rawData(section)
    }

    private func rawData(_ section: OpaquePointer?) -> UnsafeRawBufferPointer? {
        guard let data = elf_rawdata(section, nil) else { return nil }
        return UnsafeRawBufferPointer(start: data.pointee.d_buf, count: data.pointee.d_size)
    }
}
