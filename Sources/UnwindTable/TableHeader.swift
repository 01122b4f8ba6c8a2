import CUnwindTable

/// A table's header: what the table was made from, and by which compiler.
///
/// ``TableVerifier/readHeader(_:fileSize:)`` makes it and proves it; docs/table-format.md, "Header", specifies it.
public struct TableHeader: Sendable {
    /// The part that every header has.
    package let fields: cfic_table_header

    /// What the table is found by.
    public let key: TableSource.Key

    /// - Precondition: the fields are proved.
    init(proved fields: cfic_table_header, key: TableSource.Key) {
        self.fields = fields
        self.key = key
    }

    /// The machine whose code the table describes.
    public var machine: TableMachine {
        // Proved: the machine is one of them.
        TableMachine(rawValue: fields.machine).unsafelyUnwrapped
    }

    /// The file that the table was made from.
    public var source: TableSource {
        var source = TableSource(machine: machine, key: key, size: fields.source_size)
        // Proved: it is one of them.
        source.debugSource = TableSource.DebugSource(rawValue: fields.debug_source).unsafelyUnwrapped
        source.debugSize = fields.debug_size
        return source
    }

    /// The options that the table was made with.
    public var options: TableOptions {
        TableOptions(
            keepsGaps: fields.options & UInt32(CFIC_OPTION_KEEP_GAPS) != 0,
            infers: fields.options & UInt32(CFIC_OPTION_NO_INFERENCE) == 0)
    }

    /// The revision of the compiler's rules, which ``Producer/revision`` is of this compiler.
    public var revision: UInt32 { fields.revision }

    /// The compiler's version: major << 16 | minor << 8 | patch, as ``Producer/code``.
    public var producer: UInt32 { fields.producer }

    /// What the compiler counted.
    public var counts: TableCounts { TableCounts(fields.counts) }
}

// MARK: Layout

extension TableHeader {
    /// The size in bytes of a header with a key and a digest: the fields, both, zeros up to a multiple of 8, a checksum.
    package static func size(keySize: Int, digestSize: Int) -> Int {
        MemoryLayout<cfic_table_header>.size + (keySize + digestSize + 7) & ~7 + MemoryLayout<UInt64>.size
    }

    /// The size in bytes of the longest header, 232: with so many bytes of a file its header can be read.
    package static var longest: Int { size(keySize: Int(CFIC_KEY_MAX), digestSize: Int(CFIC_DIGEST_SIZE)) }

    /// The size in bytes of this header.
    package var size: Int { Self.size(keySize: Int(fields.key_size), digestSize: Int(fields.digest_size)) }

    /// The size in bytes of a section's elements; 0 of the section that is empty in this version.
    package static func elementSize(_ section: cfic_section_index) -> Int {
        switch section {
        case CFIC_SECTION_RANGES: MemoryLayout<cfic_range>.size
        case CFIC_SECTION_EXPRESSIONS: MemoryLayout<cfic_op>.size
        case CFIC_SECTION_TEMPLATES: MemoryLayout<cfic_template>.size
        case CFIC_SECTION_DIRECTORY: MemoryLayout<UInt32>.size
        case CFIC_SECTION_RULES: MemoryLayout<cfic_short_rule>.size
        case CFIC_SECTION_LONG_RULES: MemoryLayout<cfic_rule>.size
        case CFIC_SECTION_SOURCES: MemoryLayout<cfic_source>.size
        case CFIC_SECTION_PAGES: Int(CFIC_RECORD_ALIGN)
        default: 0
        }
    }

    /// The range of a section's offsets in the file.
    package func range(of section: cfic_section_index) -> Range<Int> {
        var start = size
        for index in 0..<section.rawValue { start += byteCount(of: cfic_section_index(index)) }
        return start..<start + byteCount(of: section)
    }

    /// The offset in the file at which the last section ends and the spare bytes begin.
    package var sectionsEnd: Int { range(of: CFIC_SECTION_PAGES).upperBound }

    /// Doesn't overflow: lengths have 32 bits.
    private func byteCount(of section: cfic_section_index) -> Int {
        fields.length(of: section) * Self.elementSize(section)
    }

    /// The names of all sections, by `cfic_section_index`.
    static var sectionNames: [String] {
        [
            "ranges", "expressions", "templates", "directory", "rules", "long rules", "sources", "registers", "pages",
        ]
    }
}

extension cfic_table_header {
    /// The number of a section's elements.
    package func length(of section: cfic_section_index) -> Int {
        withUnsafeBytes(of: lengths) { Int($0.load(fromByteOffset: 4 * Int(section.rawValue), as: UInt32.self)) }
    }
}
