import Files

/// The ELF header's fields on section headers.
struct SectionTableLocation {
    /// `e_shoff`; 0 if there are none.
    let offset: UInt64
    /// `e_shnum`; 0 if there are none, or if the number is in section header 0.
    let count: UInt16
    /// `e_shentsize`, in bytes.
    let entrySize: UInt16
}

extension ELFImage {
    /// The sections, by index; the first is the empty section 0. `[]` if the image has no section headers, which only
    /// linking requires.
    ///
    /// Throws ``ELFError`` if the section headers or the section names lie outside the image. Sections' extents are
    /// checked when their bytes are read.
    public func sections() throws(ELFError) -> [Section] {
        if let sectionCache { return sectionCache }
        if let sectionFailure { throw sectionFailure }
        do throws(ELFError) {
            let sections = try readSections()
            sectionCache = sections
            return sections
        } catch {
            sectionFailure = error
            throw error
        }
    }

    /// The first section with this name; nil if there is none.
    func section(named name: String) throws(ELFError) -> Section? {
        try sections().first { $0.name == name }
    }

    private func readSections() throws(ELFError) -> [Section] {
        let count = try sectionCount()
        // Section 0 only describes the section header table.
        guard count > 1 else { return [] }
        var headers: [Section] = []
        let names = try sectionNames(count: count)
        // Names may share bytes (".text" ends ".rela.text"), so they may add up to more than the string table, but to
        // much more only in a file made to exhaust memory.
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

    /// The number of section headers, checked to lie in the image.
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
            // The number is in section header 0 (gABI, "ELF Header", e_shnum). libelf returns 0 also if it is too
            // large.
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

    /// The bytes of a section of this image, unpacked if they are compressed, not relocated. Empty for `SHT_NOBITS`.
    /// Valid as long as the image exists.
    ///
    /// Throws ``ELFError`` if the section lies outside the image, is compressed with a method that libelf can't unpack,
    /// or unpacks to more than real sections do.
    public func bytes(of section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        let sections = try sections()
        guard sections.indices.contains(section.index), sections[section.index] == section else {
            throw malformed("not a section of this image", section: section.name)
        }
        if loaded.isEmpty { loaded = Array(repeating: nil, count: sections.count) }
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

    /// The bytes as in the file. Checks the extent before allocating.
    private func fileBytes(of section: Section) throws(ELFError) -> UnsafeRawBufferPointer {
        try checkExtent(of: section)
        return try fileBytes(offset: section.offset, count: section.size, section: section.name)
    }

    /// Bytes of the file at a range that the caller has checked.
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

    /// The sections add up to more than the bytes that the image really has.
    func overdrawn(_ section: String?) -> ELFError {
        let present = source.presentSize
        return malformed(
            present < size
                ? "the sections add up to more than the file holds: only \(present) of its \(size) bytes are not holes"
                : "the sections overlap: together they are several times larger than the file",
            section: section)
    }

    /// Throws ``ELFError`` if the parts of the sections that lie in the image add up to more than real sections do. For
    /// libraries that read as much as section headers claim.
    package func checkSectionSizes() throws(ELFError) {
        var budget = Budget(imageSize: source.presentSize)
        for section in try sections() where !section.hasNoBits && section.offset <= size {
            guard budget.read(min(section.size, size - section.offset)) else { throw overdrawn(section.name) }
        }
    }

    /// The smallest size, in bytes, at which a section is mapped; below it, copying is faster than mapping.
    private static var leastMapped: UInt64 { 256 << 10 }

    /// Checks that the mapped sections could be read. Call it after using sections' bytes.
    ///
    /// Throws ``ELFError`` if the file has shrunk since it was opened, or can't be read any more: some of the bytes
    /// were zeros instead.
    public func checkIsWhole() throws(ELFError) {
        guard !mapped.contains(where: \.isBroken) else { throw malformed("the file shrank or a read failed") }
    }

    /// Throws unless the whole section lies in the image.
    func checkExtent(of section: Section) throws(ELFError) {
        guard section.offset <= size, section.size <= size - section.offset else {
            throw malformed(
                "its \(section.size.hex) bytes at \(section.offset.hex) run past the end of the file (\(size.hex))",
                section: section.name, offset: size > section.offset ? size - section.offset : 0)
        }
    }
}
