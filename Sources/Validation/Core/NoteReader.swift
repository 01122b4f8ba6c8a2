import Files

/// Reads the notes of a core dump (gABI, "Note Section"): name size, descriptor size and type; then name and
/// descriptor, each padded to 4 bytes. Little-endian.
struct NoteReader {
    struct Note {
        var name: String
        var type: UInt64
        var content: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// Nil at the end, or if a note is cut off.
    mutating func next() -> Note? {
        guard let nameSize = rest.number(at: 0, size: 4), let size = rest.number(at: 4, size: 4),
            let type = rest.number(at: 8, size: 4)
        else { return nil }
        // 32-bit sizes: no overflow.
        let nameEnd = 12 + Int(nameSize)
        let start = 12 + (Int(nameSize) + 3) & ~3
        let end = start + Int(size)
        guard nameEnd <= rest.count, end <= rest.count else { return nil }
        let name = rest.dropFirst(12).prefix(Int(nameSize)).prefix { $0 != 0 }
        let note = Note(
            name: String(decoding: name, as: UTF8.self), type: type, content: rest.dropFirst(start).prefix(Int(size)))
        rest = rest.dropFirst(min((end + 3) & ~3, rest.count))
        return note
    }
}

extension NoteReader.Note {
    /// NT_FILE: count, page size; start, end and offset in pages of each mapping; then their paths, each terminated by
    /// 0.
    var fileMappings: [CoreFile.Mapping] {
        guard let count = content.number(at: 0, size: 8), let pageSize = content.number(at: 8, size: 8),
            count <= UInt64(content.count / 24)
        else { return [] }
        var names = content.dropFirst(16 + 24 * Int(count))
        var mappings: [CoreFile.Mapping] = []
        for index in 0..<Int(count) {
            guard let start = content.number(at: 16 + 24 * index, size: 8),
                let end = content.number(at: 24 + 24 * index, size: 8),
                let page = content.number(at: 32 + 24 * index, size: 8), start < end,
                let nameEnd = names.firstIndex(of: 0)
            else { return mappings }
            let (offset, overflow) = page.multipliedReportingOverflow(by: pageSize)
            if !overflow {
                mappings.append(
                    CoreFile.Mapping(
                        path: String(path: names[..<nameEnd]), start: start, end: end,
                        fileOffset: offset))
            }
            names = names[(nameEnd + 1)...]
        }
        return mappings
    }

    /// NT_AUXV: pairs of type and value, up to AT_NULL.
    var auxiliaryVector: [UInt64: UInt64] {
        var vector: [UInt64: UInt64] = [:]
        for offset in stride(from: 0, to: content.count, by: 16) {
            guard let type = content.number(at: offset, size: 8), let value = content.number(at: offset + 8, size: 8),
                type != 0
            else { break }
            vector[type] = value
        }
        return vector
    }
}

extension ArraySlice<UInt8> {
    /// A little-endian number; nil if it lies beyond the end.
    fileprivate func number(at offset: Int, size: Int) -> UInt64? {
        guard offset >= 0, size <= count, offset <= count - size else { return nil }
        return (0..<size).reduce(0) { $0 | UInt64(self[startIndex + offset + $1]) << UInt64(8 * $1) }
    }
}
