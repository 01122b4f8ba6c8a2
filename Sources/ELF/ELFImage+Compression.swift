import CLibelf

extension ELFImage {
    /// Unpacks a section. libelf allocates the size that the section states, so that size is checked first.
    func unpackedBytes(of section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        try checkExtent(of: section)
        guard budget.read(section.size) else { throw overdrawn(section.name) }
        let unpacked =
            if section.hasCompressionHeader {
                try unpackWithHeader(section)
            } else {
                try unpackGNU(section)
            }
        guard budget.unpack(UInt64(unpacked.count)) else {
            throw malformed("unpacks to \(unpacked.count) bytes", section: section.name, offset: 0)
        }
        return unpacked
    }

    /// `SHF_COMPRESSED`: an `Elf64_Chdr`, then the compressed bytes (gABI, "Section Compression").
    private func unpackWithHeader(_ section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        guard let header = libelf.compressionHeader(section.index) else {
            throw malformed("compression header: \(LibelfHandle.lastError())", section: section.name, offset: 0)
        }
        try checkUnpackedSize(header.ch_size, of: section)
        if let bytes = libelf.unpack(section.index) { return bytes }
        guard header.ch_type == UInt32(ELFCOMPRESS_ZLIB) else {
            // libelf 0.189 and newer can unpack zstd, if built with it.
            let method = header.ch_type == 2 ? "zstd" : "method \(header.ch_type)"
            throw ELFError(
                file: name, section: section.name, offset: 0,
                kind: .unsupported("compression with \(method): this libelf can't unpack it"))
        }
        throw malformed("zlib: \(LibelfHandle.lastError())", section: section.name, offset: 0)
    }

    /// `.zdebug_*`, the form that preceded `SHF_COMPRESSED`: "ZLIB", the unpacked size as a big-endian 64-bit number,
    /// then a zlib stream.
    private func unpackGNU(_ section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        let header = try source.read(offset: section.offset, count: Int(min(section.size, 12)), name: name)
        guard header.starts(with: Array("ZLIB".utf8)),
            let unpackedSize = header.withUnsafeBytes({ $0.integer(UInt64.self, at: 4, bigEndian: true) })
        else {
            throw malformed("doesn't start with \"ZLIB\" and a size", section: section.name, offset: 0)
        }
        try checkUnpackedSize(unpackedSize, of: section)
        guard let bytes = libelf.unpackGNU(section.index) else {
            throw malformed("zlib: \(LibelfHandle.lastError())", section: section.name, offset: 0)
        }
        return bytes
    }

    private func checkUnpackedSize(_ unpackedSize: UInt64, of section: Section) throws(ELFError) {
        guard unpackedSize <= min(budget.unpackable, Budget.unpackedLimit(packed: section.size)) else {
            throw malformed(
                "\(section.size) packed bytes claim to unpack to \(unpackedSize)", section: section.name, offset: 0)
        }
    }
}
