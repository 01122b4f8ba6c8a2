import Files

extension ELFImage {
    /// The build id: the descriptor of the `NT_GNU_BUILD_ID` note, typically 20 bytes; nil if there is none, or if this
    /// is a core file (whose notes are about something else).
    ///
    /// Looks in the `PT_NOTE` segments first, which takes a read of some hundred bytes, and only then in the `SHT_NOTE`
    /// sections. Throws ``ELFError`` if it isn't found and the notes are malformed where they should be whole.
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
                // Debug files may keep the program headers of the binary, which then point anywhere.
                failure = failure ?? error
            }
        }
        let sections: [Section]
        do throws(ELFError) {
            sections = try self.sections()
        } catch {
            // What can be loaded needs no section headers, so that broken ones are as good as none.
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

    /// How many bytes of notes are read in search of the build id: they are a few hundred, 60 KiB in a Linux kernel.
    private static let noteLimit: UInt64 = 1 << 20

    /// Where notes are: a segment or a section.
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

/// A note at `offset` doesn't fit.
private struct NoteError: Error {
    let offset: Int
}

/// The descriptor of the first note of owner "GNU" and type `NT_GNU_BUILD_ID` (gABI, "Note Section"): three words,
/// which give the sizes of name and descriptor and the type, then both, each padded to `alignment`.
private func findBuildID(
    in notes: UnsafeRawBufferPointer, alignment: Int, bigEndian: Bool
) -> Result<[UInt8]?, NoteError> {
    var start = 0
    func padded(_ offset: Int) -> Int { (offset + alignment - 1) & -alignment }
    // Each turn advances by the 12 bytes of a note's header at least. Sizes are below 2^32: the sums don't overflow.
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
