import ELF

/// The contents of `.BTF.ext`, by section and byte offset: functions' types, lines, CO-RE relocations.
struct BTFExtension {
    struct Line {
        let offset: Int
        let file: Int
        let line: Int
    }

    struct CoreRelocation: Hashable {
        let type: Int
        /// Indices of members, `0:1:2`, or the index of an enumerator.
        let access: String
        let kind: Kind

        /// `enum bpf_core_relo_kind`
        enum Kind: UInt32 {
            case fieldOffset = 0, fieldSize, fieldExists, fieldIsSigned, fieldLeftShift, fieldRightShift
            case localType, targetType, typeExists, typeSize, enumeratorExists, enumeratorValue, typeMatches
            case other = 0xffff_ffff

            /// Whether the answer is yes or no. The others give an offset, a size or a number, and fail without an
            /// answer.
            var isQuestion: Bool { [.fieldExists, .typeExists, .enumeratorExists, .typeMatches].contains(self) }
        }
    }

    private(set) var functions: [String: [Int: Int]] = [:]
    /// Sorted by offset.
    private(set) var lines: [String: [Line]] = [:]
    private(set) var relocations: [String: [Int: CoreRelocation]] = [:]

    init() {}

    init(_ section: Section, of image: ELFImage, btf: BTF) throws(ELFError) {
        let reader = try SectionReader(section, of: image)
        guard try reader.integer(UInt16.self, at: 0) == 0xeb9f else { throw reader.malformed("no BTF magic", at: 0) }
        let header = try reader.word(at: 4)
        guard header >= 24 else { throw reader.malformed("a header of \(header) bytes", at: 4) }
        for record in try Self.records(reader, header, at: 8, atLeast: 8, btf) {
            functions[record.section, default: [:]][record.offset] = try reader.word(at: record.place + 4)
        }
        for record in try Self.records(reader, header, at: 16, atLeast: 16, btf) {
            lines[record.section, default: []].append(
                Line(
                    offset: record.offset, file: try reader.word(at: record.place + 4),
                    line: try reader.word(at: record.place + 12) >> 10))
        }
        for name in lines.keys { lines[name]?.sort { $0.offset < $1.offset } }
        guard header >= 32 else { return }
        for record in try Self.records(reader, header, at: 24, atLeast: 16, btf) {
            let kind = try reader.integer(UInt32.self, at: record.place + 12)
            relocations[record.section, default: [:]][record.offset] = CoreRelocation(
                type: try reader.word(at: record.place + 4),
                access: try btf.string(at: reader.word(at: record.place + 8)), kind: .init(rawValue: kind) ?? .other)
        }
    }

    private struct Record {
        let section: String
        let offset: Int
        /// Its offset in `.BTF.ext`.
        let place: Int
    }

    /// The records of a part of `.BTF.ext`: the size of a record, then for each section a header and its records.
    private static func records(
        _ reader: SectionReader, _ header: Int, at field: Int, atLeast minimum: Int, _ btf: BTF
    ) throws(ELFError) -> [Record] {
        let start = try header + reader.word(at: field)
        let end = try start + reader.word(at: field + 4)
        guard end > start else { return [] }
        guard end <= reader.count else { throw reader.malformed("a part lies outside the section", at: field) }
        let size = try reader.word(at: start)
        guard size >= minimum else { throw reader.malformed("records of \(size) bytes", at: start) }
        var records: [Record] = []
        var place = start + 4
        while place < end {
            let section = try btf.string(at: reader.word(at: place))
            let count = try reader.word(at: place + 4)
            place += 8
            guard count <= (end - place) / size else { throw reader.malformed("records are cut off", at: place - 4) }
            for _ in 0..<count {
                records.append(Record(section: section, offset: try reader.word(at: place), place: place))
                place += size
            }
        }
        return records
    }
}
