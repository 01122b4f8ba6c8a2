import Files

extension ELFImage {
    /// The build id: the descriptor of the `NT_GNU_BUILD_ID` note, typically 20 bytes; nil if there is none, or if this
    /// is a core file (whose notes describe a process).
    ///
    /// Looks in the `PT_NOTE` segments first, which takes one short read, then in the `SHT_NOTE` sections. Throws
    /// ``ELFError`` if no build id is found and the notes that might contain it are malformed.
    public func buildID() throws(ELFError) -> [UInt8]? {
        guard fileType != .core else { return nil }
        var left = Self.noteLimit
        var failure: ELFError?
        for segment in segments where segment.isNote {
            let block = NoteBlock(
                section: nil, offset: segment.offset, size: segment.fileSize, alignment: segment.alignment)
            do throws(ELFError) {
                if let buildID = try buildID(in: block, left: &left) { return buildID }
            } catch {
                // Debug files may keep the executable's program headers, whose offsets are meaningless there.
                failure = failure ?? error
            }
        }
        let sections: [Section]
        do throws(ELFError) {
            sections = try self.sections()
        } catch {
            // A file that can be loaded needs no section headers: broken ones count as none.
            if failure == nil, !segments.isEmpty { return nil }
            throw failure ?? error
        }
        left = Self.noteLimit
        for section in sections where section.isNote {
            let block = NoteBlock(
                section: section.name, offset: section.offset, size: section.size, alignment: section.alignment)
            if let buildID = try buildID(in: block, left: &left) { return buildID }
        }
        if let failure, sections.isEmpty { throw failure }
        return nil
    }

    /// Bytes of notes that are read to find the build id. Files have a few hundred, a Linux kernel 60 KiB.
    private static let noteLimit: UInt64 = 1 << 20

    /// The notes of a segment or a section.
    private struct NoteBlock {
        let section: String?
        let offset: UInt64
        let size: UInt64
        let alignment: UInt64
    }

    private func buildID(in block: NoteBlock, left: inout UInt64) throws(ELFError) -> [UInt8]? {
        guard block.offset <= size, block.size <= size - block.offset else {
            throw malformed(
                "\(block.size.hex) bytes of notes at \(block.offset.hex) run past the end of the file",
                section: block.section, offset: block.section == nil ? block.offset : 0)
        }
        guard block.size <= left else {
            throw malformed(
                "more than \(Self.noteLimit) bytes of notes", section: block.section,
                offset: block.section == nil ? block.offset : 0)
        }
        left -= block.size
        let bytes = try source.read(offset: block.offset, count: Int(block.size), name: name)
        let found = bytes.withUnsafeBytes {
            findBuildID(in: $0, alignment: block.alignment == 8 ? 8 : 4, bigEndian: isBigEndian)
        }
        switch found {
        case .success(let buildID): return buildID
        case .failure(let error):
            throw malformed(
                "a note runs past the end of the notes", section: block.section,
                offset: UInt64(error.offset) + (block.section == nil ? block.offset : 0))
        }
    }
}

/// The note at `offset` runs past the end of the notes.
private struct NoteError: Error {
    let offset: Int
}

/// The descriptor of the first note of owner "GNU" and type `NT_GNU_BUILD_ID` (gABI, "Note Section"). A note is three
/// words (size of the name, size of the descriptor, type), then name and descriptor, each padded to `alignment`.
private func findBuildID(
    in notes: UnsafeRawBufferPointer, alignment: Int, bigEndian: Bool
) -> Result<[UInt8]?, NoteError> {
    var start = 0
    func padded(_ offset: Int) -> Int { (offset + alignment - 1) & -alignment }
    // Each iteration advances by at least the 12 bytes of a note's header. Sizes are below 2^32: the sums don't
    // overflow.
    while let nameSize = notes.integer(UInt32.self, at: start, bigEndian: bigEndian),
        let descriptorSize = notes.integer(UInt32.self, at: start + 4, bigEndian: bigEndian),
        let type = notes.integer(UInt32.self, at: start + 8, bigEndian: bigEndian)
    {
        let name = start + 12
        let descriptor = padded(name + Int(nameSize))
        let end = descriptor + Int(descriptorSize)
        guard end <= notes.count else { return .failure(NoteError(offset: start)) }
        if type == 3, descriptorSize > 0, nameSize == 4, notes[name..<name + 4].elementsEqual([0x47, 0x4e, 0x55, 0]) {
            return .success([UInt8](notes[descriptor..<end]))
        }
        start = padded(end)
    }
    return .success(nil)
}
