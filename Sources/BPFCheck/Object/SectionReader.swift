import ELF
import Files
import Glibc

/// Reads the bytes of a section within bounds. Missing bytes are an ``ELFError`` with file, section and offset.
struct SectionReader {
    let file: String
    let section: String
    let bytes: [UInt8]
    let isBigEndian: Bool

    init(_ section: Section, of image: ELFImage) throws(ELFError) {
        file = image.name
        self.section = section.name
        bytes = Array(try image.bytes(of: section))
        isBigEndian = image.isBigEndian
    }

    init(file: String, section: String, bytes: [UInt8], isBigEndian: Bool) {
        self.file = file
        self.section = section
        self.bytes = bytes
        self.isBigEndian = isBigEndian
    }

    /// The bytes of a file that isn't ELF, at most 256 MiB; a kernel's types take a few megabytes.
    static func contents(of path: String) throws(ELFError) -> [UInt8] {
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw ELFError(file: path, kind: .cannotOpen(errno: errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw ELFError(file: path, kind: .cannotOpen(errno: errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ELFError(file: path, kind: .notRegularFile) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(descriptor, &part, part.count)
            guard count >= 0 else { throw ELFError(file: path, kind: .cannotRead(errno: errno)) }
            guard count > 0 else { return bytes }
            bytes += part[..<count]
            guard bytes.count <= 1 << 28 else {
                throw ELFError(file: path, kind: .unsupported("a file of more than 256 MiB for a kernel's types"))
            }
        }
    }

    var count: Int { bytes.count }

    func integer<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) throws(ELFError) -> T {
        guard offset >= 0, offset <= bytes.count - MemoryLayout<T>.size else {
            throw malformed("ends too early", at: offset)
        }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
        return isBigEndian ? T(bigEndian: value) : T(littleEndian: value)
    }

    func word(at offset: Int) throws(ELFError) -> Int { Int(try integer(UInt32.self, at: offset)) }

    /// A string, cut after `limit` bytes: strings may share bytes, so many of them could take memory out of proportion.
    /// Control characters are replaced by question marks.
    func string(at offset: Int, limit: Int = 512) throws(ELFError) -> String {
        guard bytes.indices.contains(offset) else { throw malformed("a string lies outside", at: offset) }
        let text = bytes[offset...].prefix(limit).prefix { $0 != 0 }
        let plain = String(decoding: text, as: UTF8.self)
        guard text.contains(where: { !(0x20..<0x7f).contains($0) }) else { return plain }
        var printable = String.UnicodeScalarView()
        for scalar in plain.unicodeScalars {
            printable.append(scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? "?" : scalar)
        }
        return String(printable)
    }

    func instruction(at offset: Int) throws(ELFError) -> Instruction {
        let opcode = try integer(UInt8.self, at: offset)
        let registers = try integer(UInt8.self, at: offset + 1)
        let (low, high) = (registers & 15, registers >> 4)
        return Instruction(
            opcode: opcode, destination: isBigEndian ? high : low, source: isBigEndian ? low : high,
            offset: try integer(Int16.self, at: offset + 2), immediate: try integer(Int32.self, at: offset + 4))
    }

    func malformed(_ what: String, at offset: Int) -> ELFError {
        ELFError(file: file, section: section, offset: UInt64(clamping: offset), kind: .malformed(what))
    }

    func unsupported(_ what: String, at offset: Int) -> ELFError {
        ELFError(file: file, section: section, offset: UInt64(clamping: offset), kind: .unsupported(what))
    }
}
