import Files

/// What the ELF header says of the section headers.
struct SectionTableLocation {
    /// `e_shoff`; 0 if there are none.
    let offset: UInt64
    /// `e_shnum`; 0 if there are none, or if the number is in section header 0.
    let count: UInt16
    /// `e_shentsize`, in bytes.
    let entrySize: UInt16
}

extension ELFImage {
    /// The sections, by index: the first is the empty section 0. `[]` if the image has no section headers, which is
    /// legal for whatever needs no linking.
    ///
    /// Throws ``ELFError`` if the section headers or the sections' names lie outside the image. That the sections'
    /// bytes lie inside is checked when they are asked for.
    public func sections() throws(ELFError) -> [Section] {
        if let sectionCache { return try sectionCache.get() }
        do throws(ELFError) {
            let sections = try readSections()
            sectionCache = .success(sections)
            return sections
        } catch {
            sectionCache = .failure(error)
            throw error
        }
    }

    /// The first section of this name that has one; nil also when there are no section headers.
    func section(named name: String) throws(ELFError) -> Section? {
        try sections().first { $0.name == name }
    }

    private func readSections() throws(ELFError) -> [Section] {
        let count = try sectionCount()
        // Section 0 describes nothing but the table itself.
        guard count > 1 else { return [] }
        var headers: [Section] = []
        let names = try sectionNames(count: count)
        // Names may share bytes (".text" ends ".rela.text"), hence may add up to more than the table; to much more
        // only in a file made to exhaust memory.
        var nameBudget = 1024 + 4 * names.count
        headers.reserveCapacity(count)
        for index in 0..<count {
            guard let header = libelf.sectionHeader(index) else {
                throw malformed(
                    "section header \(index): \(LibelfHandle.lastError())", offset: sectionTable.offset)
            }
            var name = ""
            if !names.isEmpty {
                guard let bytes = names.stringBytes(at: Int(header.sh_name)) else {
                    throw malformed(
                        "the name of section \(index) lies outside the section names", offset: sectionTable.offset)
                }
                nameBudget -= bytes.count
                guard nameBudget >= 0 else {
                    throw malformed("section names overlap too often", offset: sectionTable.offset)
                }
                name = String(decoding: bytes, as: UTF8.self)
            }
            headers.append(Section(index: index, name: name, header: header))
        }
        return headers
    }

    /// The number of section headers, all of which lie in the image.
    private func sectionCount() throws(ELFError) -> Int {
        guard sectionTable.offset != 0 else { return 0 }
        let entrySize: UInt64 = is64Bit ? 64 : 40
        guard sectionTable.entrySize == entrySize else {
            throw malformed(
                "section headers of \(sectionTable.entrySize) bytes, not \(entrySize)", offset: sectionTable.offset)
        }
        guard let count = libelf.sectionCount else {
            throw malformed("section headers: \(LibelfHandle.lastError())", offset: sectionTable.offset)
        }
        guard sectionTable.offset <= size, entrySize <= size - sectionTable.offset,
            count > 0 || sectionTable.count == 0
        else {
            throw malformed("the section headers run past the end of the file", offset: sectionTable.offset)
        }
        if count == 0 {
            // The number is in section header 0 (gABI, "ELF Header", e_shnum). libelf also says 0 if it is too large.
            let first = try source.read(offset: sectionTable.offset, count: Int(entrySize), name: name)
            let stated = first.withUnsafeBytes {
                is64Bit
                    ? $0.integer(UInt64.self, at: 32, bigEndian: isBigEndian)
                    : $0.integer(UInt32.self, at: 20, bigEndian: isBigEndian).map(UInt64.init)
            }
            guard stated == 0 else {
                throw malformed(
                    "\(stated ?? 0) section headers run past the end of the file", offset: sectionTable.offset)
            }
        }
        return count
    }

    /// The bytes of the section name table; empty if there is none.
    private func sectionNames(count: Int) throws(ELFError) -> UnsafeRawBufferPointer {
        guard let index = libelf.sectionNamesIndex, index < count else {
            throw malformed("there is no section name table", offset: sectionTable.offset)
        }
        guard index != 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard let header = libelf.sectionHeader(index) else {
            throw malformed("section header \(index): \(LibelfHandle.lastError())", offset: sectionTable.offset)
        }
        return try fileBytes(of: Section(index: index, name: "section \(index) (names)", header: header))
    }

    // MARK: Bytes

    /// The bytes of a section of this image, unpacked if they are compressed. Empty if it has none (`SHT_NOBITS`).
    /// They are valid as long as the image lives, and not relocated.
    ///
    /// Throws ``ELFError`` if the section lies outside the image, is compressed with something else than zlib, or
    /// unpacks to more than such sections do.
    public func bytes(of section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        let sections = try sections()
        guard sections.indices.contains(section.index), sections[section.index] == section else {
            throw malformed("not a section of this image", section: section.name)
        }
        if let bytes = loaded[section.index] { return bytes }
        let bytes =
            if section.hasNoBits {
                UnsafeRawBufferPointer(start: nil, count: 0)
            } else if section.isCompressed {
                try unpackedBytes(of: section)
            } else {
                try fileBytes(of: section)
            }
        loaded[section.index] = bytes
        return bytes
    }

    /// The bytes as they are in the file. Nothing is allocated before it is known that they are there.
    private func fileBytes(of section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        try checkExtent(of: section)
        return try fileBytes(offset: section.offset, count: section.size, section: section.name)
    }

    /// Bytes of the file, which the caller has checked to lie inside.
    func fileBytes(offset: UInt64, count: UInt64, section: String?) throws(ELFError) -> UnsafeRawBufferPointer {
        guard budget.read(count) else { throw overdrawn(section) }
        if case .file(let file) = source, count >= Self.leastMapped,
            let mapping = MappedBytes(file, offset: offset, count: Int(count))
        {
            mapped.append(mapping)
            return mapping.bytes
        }
        guard let bytes = libelf.chunk(offset: offset, count: Int(count)) else {
            throw malformed("\(LibelfHandle.lastError()): the file may have shrunk", section: section, offset: 0)
        }
        return bytes
    }

    /// Sections add up to more than the image really has.
    func overdrawn(_ section: String?) -> ELFError {
        let present = source.presentSize
        return malformed(
            present < size
                ? "the sections add up to more than the file holds: only \(present) of its \(size) bytes are not holes"
                : "the sections overlap: they add up to several times the file",
            section: section)
    }

    /// Throws ``ELFError`` unless the sections' bytes, as far as they lie in the image, add up to what real ones do:
    /// for libraries that read whatever a section header claims.
    public func checkSectionSizes() throws(ELFError) {
        var budget = Budget(imageSize: source.presentSize)
        for section in try sections() where !section.hasNoBits && section.offset <= size {
            guard budget.read(min(section.size, size - section.offset)) else { throw overdrawn(section.name) }
        }
    }

    /// Bytes from which on a section is mapped and not read: what is smaller is copied in less time than it takes to
    /// map it.
    private static var leastMapped: UInt64 { 256 << 10 }

    /// To be asked when the bytes of sections have been used.
    ///
    /// Throws ``ELFError`` if the file has shrunk since it was opened, or can't be read any more: some of the bytes
    /// were then zeros.
    public func checkIsWhole() throws(ELFError) {
        guard !mapped.contains(where: \.isBroken) else { throw malformed("it shrank or failed while being read") }
    }

    /// That the whole section lies in the image.
    func checkExtent(of section: Section) throws(ELFError) {
        guard section.offset <= size, section.size <= size - section.offset else {
            throw malformed(
                "its \(section.size.hex) bytes at \(section.offset.hex) run past the end of the file (\(size.hex))",
                section: section.name, offset: size > section.offset ? size - section.offset : 0)
        }
    }
}
