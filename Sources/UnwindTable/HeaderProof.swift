import CUnwindTable

extension TableVerifier {
    /// Reads and proves a table's header, and that the file has the size that follows; not the sections' contents.
    ///
    /// This is enough to decide whether a stored table is current. It reads only the first 232 bytes or fewer, which
    /// need not be aligned.
    ///
    /// - Parameters:
    ///   - bytes: a table's file, or at least its first 232 bytes.
    ///   - fileSize: the size of the file in bytes; nil if `bytes` is the whole file.
    /// - Throws: the first defect found.
    public static func readHeader(
        _ bytes: UnsafeRawBufferPointer, fileSize: Int? = nil
    ) throws(TableDefect) -> TableHeader {
        guard bytes.count >= MemoryLayout<cfic_table_header>.size else {
            throw defect("file is smaller than a header", at: bytes.count)
        }
        let fields = bytes.loadUnaligned(as: cfic_table_header.self)
        guard bytes.prefix(Int(CFIC_TABLE_MAGIC_SIZE)).elementsEqual(TableView.magic) else {
            throw defect("not a table: wrong magic", at: 0)
        }
        guard fields.version == CFIC_TABLE_VERSION else { throw defect(ofVersion: fields.version) }
        let key = try readKey(bytes, fields)
        try checkFields(fields)
        let header = TableHeader(proved: fields, key: key)
        try checkLayout(header, fileSize: fileSize ?? bytes.count)
        return header
    }

    static func defect(_ problem: String, at offset: Int) -> TableDefect {
        TableDefect(section: "header", offset: offset, problem: problem)
    }

    private static func defect(ofVersion version: UInt16) -> TableDefect {
        let problem =
            (1..<CFIC_TABLE_VERSION).contains(Int32(version))
            ? "version \(version) is of an older cfic: compile the file again" : "version \(version) is not known"
        return defect(problem, at: 8)
    }

    /// Proves the sizes of key and digest, and then the header's checksum, whose place they determine.
    private static func readKey(
        _ bytes: UnsafeRawBufferPointer, _ fields: cfic_table_header
    ) throws(TableDefect) -> TableSource.Key {
        let (keySize, digestSize) = (Int(fields.key_size), Int(fields.digest_size))
        let isContent: Bool
        switch cfic_key_kind(UInt32(fields.key_kind)) {
        case CFIC_KEY_BUILD_ID: isContent = false
        case CFIC_KEY_CONTENT: isContent = true
        default: throw defect("unknown kind of key", at: 13)
        }
        guard isContent ? keySize == 32 : (1...Int(CFIC_KEY_MAX)).contains(keySize) else {
            throw defect("key has the wrong size", at: 14)
        }
        guard digestSize == 0 || digestSize == CFIC_DIGEST_SIZE && !isContent else {
            throw defect("digest has the wrong size, or a content key comes with one", at: 15)
        }
        let end = TableHeader.size(keySize: keySize, digestSize: digestSize) - MemoryLayout<UInt64>.size
        guard bytes.count >= end + MemoryLayout<UInt64>.size else {
            throw defect("file is smaller than its header", at: bytes.count)
        }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[..<end])
        guard TableView.checksum(covered) == bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self) else {
            throw defect("checksum does not match", at: end)
        }
        let rest = bytes[MemoryLayout<cfic_table_header>.size..<end]
        let padding = rest.dropFirst(keySize + digestSize)
        guard padding.allSatisfy({ $0 == 0 }) else {
            throw defect("bytes after key and digest are not zero", at: padding.startIndex)
        }
        let key = Array(rest.prefix(keySize))
        return isContent ? .content(key) : .buildID(key, digest: Array(rest.dropFirst(keySize).prefix(digestSize)))
    }

    private static func checkFields(_ fields: cfic_table_header) throws(TableDefect) {
        guard let machine = TableMachine(rawValue: fields.machine) else {
            throw defect("machine \(fields.machine) is not known", at: 10)
        }
        guard fields.pc_shift == machine.pcShift else { throw defect("pc shift is not the machine's", at: 12) }
        guard fields.options & ~UInt32(CFIC_OPTION_KEEP_GAPS | CFIC_OPTION_NO_INFERENCE) == 0 else {
            throw defect("unknown option", at: 20)
        }
        guard TableSource.DebugSource(rawValue: fields.debug_source) != nil else {
            throw defect("unknown source of .debug_frame", at: 30)
        }
        guard fields.reserved == 0 else { throw defect("reserved byte is not zero", at: 31) }
        guard fields.unused == 0 else { throw defect("unused bytes are not zero", at: 148) }
    }

    /// The sections follow the header without gaps, and the file ends with the spare bytes after them.
    private static func checkLayout(_ header: TableHeader, fileSize: Int) throws(TableDefect) {
        let spare = Int(CFIC_SPARE_BYTES)
        for (index, name) in TableHeader.sectionNames.enumerated() {
            let section = cfic_section_index(UInt32(index))
            let place = 112 + 4 * index
            guard TableHeader.elementSize(section) > 0 || header.fields.length(of: section) == 0 else {
                throw defect("\(name): not empty", at: place)
            }
            guard header.range(of: section).upperBound <= fileSize - spare else {
                throw defect("\(name): extends beyond the end of the file", at: place)
            }
        }
        guard header.sectionsEnd == fileSize - spare else {
            throw defect("file does not end \(spare) bytes after its last section", at: header.sectionsEnd)
        }
    }
}
