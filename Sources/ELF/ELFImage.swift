import CLibelf
import Files
import Glibc

/// An ELF file, or an ELF image in memory.
///
/// Opening reads the ELF header and the program headers, a few hundred bytes. Section headers, notes and the bytes of
/// sections are read on first use and kept. Files are read with `pread`; large sections are mapped. A file that shrinks
/// meanwhile causes an ``ELFError``, not a signal; for mapped sections, ``checkIsWhole()`` throws it.
///
/// The size of the image limits how much is read and unpacked (`Budget`). Not thread-safe: use it from one thread at a
/// time.
public final class ELFImage {
    /// The path, or the name given to an image in memory. Errors contain it.
    public let name: String
    /// The file's identity and state when it was opened; nil for an image in memory.
    package let identity: FileIdentity?
    /// In bytes, when it was opened.
    public let size: UInt64
    /// `ELFCLASS64`
    public let is64Bit: Bool
    /// `ELFDATA2MSB`
    public let isBigEndian: Bool
    /// The kind of file: `e_type`.
    public let fileType: FileType
    /// The instruction set: `e_machine`.
    public let machine: Machine
    /// `e_entry`: an SVMA, or 0.
    public let entryAddress: UInt64
    /// The ELF header, byte for byte: 64 bytes, or 52 in 32-bit images.
    package let headerBytes: [UInt8]
    /// The program headers, byte for byte.
    package let programHeaderBytes: [UInt8]
    /// The program headers, in the order of the file.
    public let segments: [Segment]

    let source: ImageBytes
    let libelf: LibelfHandle
    let sectionTable: SectionTableLocation
    /// What the first ``sections()`` returned.
    var sectionCache: [Section]?
    /// What the first ``sections()`` threw.
    var sectionFailure: ELFError?
    /// Bytes of sections that were read, by section index; empty before the first one.
    var loaded: [UnsafeRawBufferPointer?] = []
    /// The mapped parts of the file.
    var mapped: [MappedBytes] = []
    /// Relocated copies of call frame sections, by section index.
    var relocated: [Int: OwnedMemory] = [:]
    /// Further copies, relocated by a placement.
    var placed: [OwnedMemory] = []
    var budget: Budget

    /// Opens a regular file. Anything else is rejected before opening, which could block on a FIFO.
    ///
    /// Throws ``ELFError`` if the file can't be opened or read, isn't an ELF file, or has a malformed ELF header or
    /// program headers. Broken section headers are not detected here.
    public convenience init(path: String) throws(ELFError) {
        try self.init(source: .file(OpenFile(path: path)), name: path)
    }

    /// Takes ownership of an open descriptor, whose file position doesn't matter; it is closed even if this throws.
    package convenience init(descriptor: Int32, path: String) throws(ELFError) {
        try self.init(source: .file(OpenFile(descriptor: descriptor, path: path)), name: path)
    }

    /// Opens an image in memory, such as the vDSO. The bytes are copied.
    public convenience init(bytes: [UInt8], name: String) throws(ELFError) {
        let memory = bytes.withUnsafeBytes { OwnedMemory(copying: $0) }
        try self.init(source: .memory(memory), name: name)
    }

    /// Another image of the same open file, for another thread: an image may be used by one thread at a time, because it
    /// remembers what it has read.
    package func another() throws(ELFError) -> ELFImage {
        guard case .file(let file) = source else { return try ELFImage(source: source, name: name) }
        let descriptor = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw ELFError(file: name, kind: .cannotOpen(errno: errno)) }
        return try ELFImage(descriptor: descriptor, path: name)
    }

    /// A copy of all bytes of an image in memory; nil for a file.
    package var memoryBytes: [UInt8]? {
        if case .memory(let memory) = source { Array(memory.bytes) } else { nil }
    }

    /// A path at which the open file can be opened again by this process, even if its name is gone; nil for an image in
    /// memory. Valid as long as this is.
    package var descriptorPath: String? {
        if case .file(let file) = source { "/proc/self/fd/\(file.descriptor)" } else { nil }
    }

    /// Whether the open file starts with the ELF magic bytes. False also if it can't be read.
    package static func isELF(descriptor: Int32) -> Bool {
        var magic: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
        return pread(descriptor, &magic, 4, 0) == 4 && magic == (0x7f, 0x45, 0x4c, 0x46)
    }

    init(source: ImageBytes, name: String) throws(ELFError) {
        let bytes = try Self.readHeader(source, name: name)
        guard let libelf = LibelfHandle(source), let header = libelf.header else {
            throw ELFError(file: name, kind: .malformed("ELF header: \(LibelfHandle.lastError())"))
        }
        let programHeaders = try Self.programHeaderRange(
            header, libelf: libelf, is64Bit: bytes[4] == ELFCLASS64, source, name: name)
        var segments: [Segment] = []
        segments.reserveCapacity(programHeaders.count)
        for index in 0..<programHeaders.count {
            guard let header = libelf.programHeader(index) else {
                throw ELFError(
                    file: name, offset: programHeaders.offset,
                    kind: .malformed("program header \(index): \(LibelfHandle.lastError())"))
            }
            segments.append(Segment(header))
        }

        self.name = name
        self.source = source
        self.libelf = libelf
        self.segments = segments
        if case .file(let file) = source { identity = file.identity } else { identity = nil }
        size = source.size
        budget = Budget(imageSize: source.presentSize)
        headerBytes = bytes
        programHeaderBytes = try source.read(
            offset: programHeaders.offset, count: programHeaders.byteCount, name: name)
        is64Bit = bytes[4] == ELFCLASS64
        isBigEndian = bytes[5] == ELFDATA2MSB
        fileType = FileType(header.e_type)
        machine = Machine(rawValue: header.e_machine)
        entryAddress = header.e_entry
        sectionTable = SectionTableLocation(
            offset: header.e_shoff, count: header.e_shnum, entrySize: header.e_shentsize)
    }

    /// Reads the ELF header and checks what libelf assumes, or would reject without a reason.
    private static func readHeader(_ source: ImageBytes, name: String) throws(ELFError) -> [UInt8] {
        guard source.size > 0 else { throw ELFError(file: name, kind: .empty) }
        var bytes = try source.read(offset: 0, count: Int(min(source.size, 64)), name: name)
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { throw ELFError(file: name, kind: .notELF) }
        func malformed(_ what: String, at offset: Int) -> ELFError {
            ELFError(file: name, offset: UInt64(offset), kind: .malformed(what))
        }
        guard bytes.count >= 16 else { throw malformed("the ELF header is cut off", at: bytes.count) }
        guard [ELFCLASS32, ELFCLASS64].contains(Int32(bytes[4])) else {
            throw malformed("unknown ELF class \(bytes[4])", at: 4)
        }
        guard [ELFDATA2LSB, ELFDATA2MSB].contains(Int32(bytes[5])) else {
            throw malformed("unknown byte order \(bytes[5])", at: 5)
        }
        let headerSize = Int32(bytes[4]) == ELFCLASS64 ? 64 : 52
        guard bytes.count >= headerSize else { throw malformed("the ELF header is cut off", at: bytes.count) }
        bytes.removeSubrange(headerSize...)
        try checkSectionCount(bytes, of: source, name: name)
        return bytes
    }

    /// Limits the number of section headers. libelf allocates some hundred bytes for each when it opens a file,
    /// provided that all lie in the file, and a hole satisfies that.
    private static func checkSectionCount(_ header: [UInt8], of source: ImageBytes, name: String) throws(ELFError) {
        let isBigEndian = Int32(header[5]) == ELFDATA2MSB
        let is64Bit = header.count == 64
        let place = header.withUnsafeBytes { header in
            (
                offset: is64Bit
                    ? header.integer(UInt64.self, at: 40, bigEndian: isBigEndian)
                    : header.integer(UInt32.self, at: 32, bigEndian: isBigEndian).map(UInt64.init),
                count: header.integer(UInt16.self, at: is64Bit ? 60 : 48, bigEndian: isBigEndian)
            )
        }
        let entrySize: UInt64 = is64Bit ? 64 : 40
        // If the number exceeds 16 bits, it is in section header 0 (gABI, "ELF Header", e_shnum).
        guard let offset = place.offset, offset != 0, place.count == 0, offset <= source.size,
            entrySize <= source.size - offset
        else { return }
        let first = try source.read(offset: offset, count: Int(entrySize), name: name)
        let stated = first.withUnsafeBytes {
            is64Bit
                ? $0.integer(UInt64.self, at: 32, bigEndian: isBigEndian)
                : $0.integer(UInt32.self, at: 20, bigEndian: isBigEndian).map(UInt64.init)
        }
        guard let stated, stated <= Budget(imageSize: source.presentSize).readable / entrySize else {
            throw ELFError(
                file: name, offset: offset,
                kind: .malformed("\(stated ?? 0) section headers run past the end of the file"))
        }
    }

    /// The extent of the program headers, checked to lie in the image.
    private static func programHeaderRange(
        _ header: GElf_Ehdr, libelf: LibelfHandle, is64Bit: Bool, _ source: ImageBytes, name: String
    ) throws(ELFError) -> (offset: UInt64, count: Int, byteCount: Int) {
        guard header.e_phoff != 0, header.e_phnum != 0 else { return (0, 0, 0) }
        func malformed(_ what: String) -> ELFError {
            ELFError(file: name, offset: header.e_phoff, kind: .malformed(what))
        }
        let entrySize = is64Bit ? 56 : 32
        guard header.e_phentsize == entrySize else {
            throw malformed("program headers of \(header.e_phentsize) bytes, not \(entrySize)")
        }
        var count = Int(header.e_phnum)
        if header.e_phnum == PN_XNUM {
            // The number is in section header 0 (gABI, "ELF Header", e_phnum).
            guard let first = libelf.sectionHeader(0) else {
                throw malformed("the number of program headers is in section header 0, which can't be read")
            }
            count = Int(first.sh_info)
        }
        // count < 2^32: the product doesn't overflow.
        let byteCount = count * entrySize
        guard header.e_phoff <= source.size, UInt64(byteCount) <= source.size - header.e_phoff,
            UInt64(byteCount) <= Budget(imageSize: source.presentSize).readable
        else {
            throw malformed("\(count) program headers run past the end of the file")
        }
        guard libelf.programHeaderCount == count else {
            throw malformed("program headers: \(LibelfHandle.lastError())")
        }
        return (header.e_phoff, count, byteCount)
    }

    /// An error that concerns this image.
    func malformed(_ what: String, section: String? = nil, offset: UInt64? = nil) -> ELFError {
        ELFError(file: name, section: section, offset: offset, kind: .malformed(what))
    }
}
