import CUnwindTable

/// A table's header: what the table was made from, and by which compiler.
///
/// ``TableVerifier/readHeader(_:fileSize:)`` makes it and proves it; docs/table-format.md, "Header", specifies it.
public struct TableHeader: Sendable {
    package let fields: cfic_table_header

    /// - Precondition: the fields are proved.
    init(proved fields: cfic_table_header) { self.fields = fields }

    /// The machine whose code the table describes.
    public var machine: TableMachine {
        // Proved: the machine is one of them.
        TableMachine(rawValue: fields.machine).unsafelyUnwrapped
    }

    /// What the table is found by.
    public var key: TableSource.Key { TableSource.Key(fields) }

    /// The file that the table was made from.
    public var source: TableSource {
        var source = TableSource(machine: machine, key: key, size: fields.source_size)
        // Proved: it is one of them.
        source.debugSource = TableSource.DebugSource(rawValue: fields.debug_source).unsafelyUnwrapped
        source.debugSize = fields.debug_size
        return source
    }

    /// The options that the table was made with.
    public var options: TableOptions { TableOptions(keepsGaps: fields.options & UInt32(CFIC_OPTION_KEEP_GAPS) != 0) }

    /// The revision of the compiler's rules, which ``Producer/revision`` is of this compiler.
    public var revision: UInt32 { fields.revision }

    /// The compiler's version: major << 16 | minor << 8 | patch, as ``Producer/code``.
    public var producer: UInt32 { fields.producer }

    /// What the compiler counted.
    public var counts: TableCounts { TableCounts(fields.counts) }
}

extension TableVerifier {
    /// Reads and proves a table's header, and that its sections are within the file; not the sections' contents.
    ///
    /// This is enough to decide whether a stored table is current. It reads only the first 304 bytes, which need not be
    /// aligned.
    ///
    /// - Parameters:
    ///   - bytes: a table's file, or at least its first 304 bytes.
    ///   - fileSize: the size of the file in bytes; nil if `bytes` is the whole file.
    /// - Throws: the first defect found.
    public static func readHeader(
        _ bytes: UnsafeRawBufferPointer, fileSize: Int? = nil
    ) throws(TableDefect) -> TableHeader {
        let size = MemoryLayout<cfic_table_header>.size
        guard bytes.count >= size else { throw defect("file is smaller than a header", at: bytes.count) }
        let header = bytes.loadUnaligned(as: cfic_table_header.self)
        guard bytes.prefix(Int(CFIC_TABLE_MAGIC_SIZE)).elementsEqual(TableView.magic) else {
            throw defect("not a table: wrong magic", at: 0)
        }
        guard header.version == CFIC_TABLE_VERSION else {
            throw defect("version \(header.version) is not known", at: 8)
        }
        guard Int(header.header_size) == size else { throw defect("header size is not \(size)", at: 10) }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[..<(size - MemoryLayout<UInt64>.size)])
        guard TableView.checksum(covered) == header.checksum else {
            throw defect("checksum does not match", at: covered.count)
        }
        try checkFields(header)
        try checkSections(header, fileSize: fileSize ?? bytes.count)
        return TableHeader(proved: header)
    }

    static func defect(_ problem: String, at offset: Int) -> TableDefect {
        TableDefect(section: "header", offset: offset, problem: problem)
    }

    private static func checkFields(_ header: cfic_table_header) throws(TableDefect) {
        guard let machine = TableMachine(rawValue: header.machine) else {
            throw defect("machine \(header.machine) is not known", at: 12)
        }
        guard header.pc_shift == machine.pcShift else { throw defect("pc shift is not the machine's", at: 14) }
        guard Int(header.rule_size) == MemoryLayout<Rule>.size else {
            throw defect("rule size is not \(MemoryLayout<Rule>.size)", at: 15)
        }
        guard header.options & ~UInt32(CFIC_OPTION_KEEP_GAPS) == 0 else { throw defect("unknown option", at: 20) }
        let keySizes: ClosedRange<UInt8>
        switch cfic_key_kind(UInt32(header.key_kind)) {
        case CFIC_KEY_BUILD_ID: keySizes = 1...UInt8(CFIC_KEY_MAX)
        case CFIC_KEY_CONTENT: keySizes = 32...32
        default: throw defect("unknown kind of key", at: 24)
        }
        guard keySizes.contains(header.key_size) else { throw defect("key has the wrong size", at: 25) }
        guard TableSource.DebugSource(rawValue: header.debug_source) != nil else {
            throw defect("unknown source of .debug_frame", at: 26)
        }
        guard header.reserved == 0 else {
            throw defect("reserved byte is not zero", at: 27)
        }
        guard withUnsafeBytes(of: header.key, { $0.dropFirst(Int(header.key_size)).allSatisfy { $0 == 0 } }) else {
            throw defect("bytes after the key are not zero", at: 32 + Int(header.key_size))
        }
        guard keySizes.lowerBound == 1 || withUnsafeBytes(of: header.digest, { $0.allSatisfy { $0 == 0 } }) else {
            throw defect("a content key comes with a digest", at: 80)
        }
    }

    /// Each section starts at the first multiple of 16 after the previous section, and the file ends with the last one.
    private static func checkSections(_ header: cfic_table_header, fileSize: Int) throws(TableDefect) {
        let elementSizes = [
            MemoryLayout<cfic_range>.size, MemoryLayout<UInt32>.size, MemoryLayout<Rule>.size,
            MemoryLayout<Operation>.size, Int(CFIC_RECORD_ALIGN),
        ]
        var end = MemoryLayout<cfic_table_header>.size
        for (index, elementSize) in elementSizes.enumerated() {
            let section = header.section(index)
            let place = 176 + index * MemoryLayout<cfic_section>.size
            guard section.offset == UInt64((end + 15) & ~15) else {
                throw defect("\(names[index]): not at the first multiple of 16 after the previous section", at: place)
            }
            guard section.offset <= UInt64(fileSize), section.size <= UInt64(fileSize) - section.offset else {
                throw defect("\(names[index]): extends beyond the end of the file", at: place + 8)
            }
            guard section.size % UInt64(elementSize) == 0 else {
                throw defect("\(names[index]): size is not a multiple of \(elementSize)", at: place + 8)
            }
            end = section.range.upperBound
        }
        guard end == fileSize else { throw defect("file does not end with its last section", at: end) }
    }
}

extension cfic_table_header {
    /// - Parameter index: a `cfic_section_index`.
    func section(_ index: Int) -> cfic_section {
        withUnsafeBytes(of: sections) {
            $0.load(fromByteOffset: index * MemoryLayout<cfic_section>.size, as: cfic_section.self)
        }
    }
}

extension cfic_section {
    /// The section's range of offsets in the file.
    ///
    /// - Precondition: the section is within a file in memory, so the offsets fit.
    var range: Range<Int> { Int(offset)..<Int(offset + size) }
}
