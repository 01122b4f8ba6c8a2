import Files
import Glibc

/// An archive of object files (`ar`), read member by member.
///
/// The format is that of System V and GNU, with BSD's long names and with GNU's thin archives, which refer to separate
/// files as their members (ar(5); GNU binutils, "Archive Format").
package struct Archive {
    /// The path of the archive.
    package let name: String
    private let file: OpenFile
    private let isThin: Bool
    /// Offset of the next member's header.
    private var next: UInt64 = 8
    /// The contents of the member "//": the names that are too long for a header.
    private var longNames: [UInt8] = []

    /// A member of an archive.
    package struct Member {
        /// The member's name. In a thin archive: its path, as the archive states it.
        package var name: String
        /// The member as an image, `ARCHIVE(MEMBER)`; nil if it isn't an ELF file.
        package var image: ELFImage?
    }

    private static let headerSize = 60
    /// Allows several bytes of name for each of millions of members.
    private static let longNameLimit: UInt64 = 64 << 20
    /// PATH_MAX.
    private static let nameLimit = 4096
    /// Far more than object files have. A larger one can be extracted from the archive.
    private static let memberLimit: UInt64 = 2 << 30

    /// Whether the open file starts with an archive's magic bytes. False also if it can't be read.
    package static func isArchive(descriptor: Int32) -> Bool {
        var magic = [UInt8](repeating: 0, count: 8)
        return pread(descriptor, &magic, 8, 0) == 8 && (magic == Self.magic || magic == Self.thinMagic)
    }

    private static let magic = Array("!<arch>\n".utf8)
    private static let thinMagic = Array("!<thin>\n".utf8)

    /// Opens an archive; nil if the file isn't one.
    ///
    /// Throws ``ELFError`` if the file can't be opened or read.
    package init?(path: String) throws(ELFError) {
        file = try OpenFile(path: path)
        name = path
        guard file.identity.size >= 8 else { return nil }
        let magic = try ImageBytes.file(file).read(offset: 0, count: 8, name: path)
        guard magic == Self.magic || magic == Self.thinMagic else { return nil }
        isThin = magic == Self.thinMagic
    }

    /// The next member; nil at the end. Skips symbol indices.
    ///
    /// Throws ``ELFError`` if a header is malformed, after which nothing more can be read, or if the member can't be
    /// read, after which the next one can.
    package mutating func nextMember() throws(ELFError) -> Member? {
        while next < file.identity.size {
            let header = next
            // If this header is malformed, the next one's offset is unknown and reading ends.
            next = .max
            let bytes = try read(header, UInt64(Self.headerSize), "a member's header")
            guard bytes[58] == 0x60, bytes[59] == 0x0a, let size = Self.number(bytes[48..<58]) else {
                throw malformed("not the header of a member", header)
            }
            var content = header + UInt64(Self.headerSize)
            let field = Self.trimmed(bytes[0..<16])
            let isIndex = field == "/" || field == "/SYM64/" || field == "__.SYMDEF"
            let isNames = field == "//"
            // Of a thin archive's members, only indices and names have contents. Members begin at even offsets.
            let end = isThin && !isIndex && !isNames ? content : content + size
            next = end + end % 2
            if isIndex { continue }
            if isNames {
                guard size <= Self.longNameLimit else {
                    throw malformed("more than \(Self.longNameLimit) bytes of names", header)
                }
                longNames = try read(content, size, "the names")
                continue
            }
            var left = size
            let memberName = try memberName(field, &content, &left, header)
            if memberName.hasPrefix("__.SYMDEF") { continue }
            return Member(name: memberName, image: try image(memberName, content, left))
        }
        return nil
    }

    /// Resolves the name field of a header: `/123` is an offset in the long names; `#1/20` means that the content
    /// starts with a name of 20 bytes, which this skips.
    private func memberName(
        _ field: String, _ content: inout UInt64, _ size: inout UInt64, _ header: UInt64
    ) throws(ELFError) -> String {
        if field.hasPrefix("#1/"), let length = UInt64(field.dropFirst(3)) {
            guard length <= size, length <= UInt64(Self.nameLimit) else {
                throw malformed("the name is longer than the member", header)
            }
            let bytes = try read(content, length, "a member's name")
            content += length
            size -= length
            return String(path: bytes)
        }
        guard field.hasPrefix("/") else { return field.hasSuffix("/") ? String(field.dropLast()) : field }
        // In a thin archive, `/123:456` is a member of a nested archive, which isn't supported.
        guard let offset = Int(field.dropFirst()), longNames.indices.contains(offset) else {
            throw malformed("\"\(field)\" is not a name", header)
        }
        let line = longNames[offset...].prefix(Self.nameLimit + 1).prefix { $0 != 0x0a }
        guard line.count <= Self.nameLimit else { throw malformed("a member's name is too long", header) }
        return String(path: line.last == UInt8(ascii: "/") ? line.dropLast() : line)
    }

    private func image(_ memberName: String, _ content: UInt64, _ size: UInt64) throws(ELFError) -> ELFImage? {
        let title = "\(name)(\(memberName))"
        do throws(ELFError) {
            if isThin {
                let directory = name.lastIndex(of: "/").map { name[...$0] } ?? ""
                let path = memberName.hasPrefix("/") ? memberName : directory + memberName
                return try ELFImage(source: .file(OpenFile(path: path)), name: title)
            }
            guard size <= Self.memberLimit else {
                throw ELFError(file: title, kind: .unsupported("a member of \(size) bytes"))
            }
            let magic = try read(content, min(size, 4), "a member")
            guard magic == [0x7f, 0x45, 0x4c, 0x46] else { return nil }
            return try ELFImage(bytes: try read(content, size, "a member"), name: title)
        } catch {
            if isThin, error.kind == .notELF || error.kind == .empty { return nil }
            throw ELFError(file: title, section: error.section, offset: error.offset, kind: error.kind)
        }
    }

    private func read(_ offset: UInt64, _ count: UInt64, _ what: String) throws(ELFError) -> [UInt8] {
        let size = file.identity.size
        guard offset <= size, count <= size - offset else {
            throw malformed("\(what) runs past the end of the file", offset)
        }
        guard count <= Budget(imageSize: file.presentBytes).readable else {
            throw malformed("\(what) consists of a hole", offset)
        }
        return try ImageBytes.file(file).read(offset: offset, count: Int(count), name: name)
    }

    private func malformed(_ what: String, _ offset: UInt64) -> ELFError {
        ELFError(file: name, offset: offset, kind: .malformed(what))
    }

    /// A decimal number of at most ten digits, padded with spaces.
    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? { UInt64(trimmed(field)) }

    private static func trimmed(_ field: ArraySlice<UInt8>) -> String {
        var field = field
        while field.last == UInt8(ascii: " ") { field.removeLast() }
        return String(path: field)
    }
}
