import ELF
import Files
import Glibc

/// The libraries that ldconfig(8) found: /etc/ld.so.cache, in glibc's format (dl-cache.h).
///
/// A number in the file may be anything; what lies outside the file is left out.
struct LibraryCache {
    private let bytes: [UInt8]
    /// Where the newer of two formats begins, which offsets of strings count from; nil if it isn't there.
    private let start: Int?

    private static let magic = Array("glibc-ld.so.cache1.1".utf8)
    /// The format until glibc 2.2; files of before glibc 2.32 begin with it, and the other follows.
    private static let oldMagic = Array("ld.so-1.7.0".utf8)
    /// A real one has some 100 KiB.
    private static let sizeLimit = 16 << 20
    private static let headerSize = 48
    private static let entrySize = 24

    /// Reads the cache. One that can't be read is empty.
    init(path: String = "/etc/ld.so.cache") {
        guard let file = Descriptor(opening: path, O_RDONLY | O_NONBLOCK), let status = file.status(),
            (1...off_t(Self.sizeLimit)).contains(status.st_size)
        else {
            self.init(bytes: [])
            return
        }
        self.init(bytes: file.read(limit: Int(status.st_size)))
    }

    init(bytes: [UInt8]) {
        self.bytes = bytes
        var start = 0
        if bytes.starts(with: Self.oldMagic), let count = Self.number(in: bytes, at: 12) {
            start = (16 + Int(count) * 12 + 7) & ~7
        }
        self.start = bytes.dropFirst(start).starts(with: Self.magic) ? start : nil
    }

    /// The paths of the libraries with a name, in the order of the cache; they may be of several machines. Those in
    /// directories for certain processors (`glibc-hwcaps`) are left out.
    func paths(of name: String) -> [String] {
        guard let start, let count = Self.number(in: bytes, at: start + 20) else { return [] }
        let name = name.pathBytes + [0]
        let first = start + Self.headerSize
        let end = min(first + Int(count) * Self.entrySize, bytes.count)
        var found: [String] = []
        // Not sorted by bytes, and there are a few thousand.
        for entry in stride(from: first, to: end - Self.entrySize + 1, by: Self.entrySize) {
            guard let key = Self.number(in: bytes, at: entry + 4), isString(name, at: start + Int(key)),
                let path = Self.number(in: bytes, at: entry + 8), start + Int(path) < bytes.count,
                bytes[entry + 16..<entry + 24].allSatisfy({ $0 == 0 })
            else { continue }
            found.append(String(path: bytes[(start + Int(path))...].prefix(Int(PATH_MAX))))
        }
        return found
    }

    private func isString(_ string: [UInt8], at offset: Int) -> Bool {
        offset <= bytes.count - string.count && bytes[offset..<offset + string.count].elementsEqual(string)
    }

    /// A number of the host's byte order; nil outside the file.
    private static func number(in bytes: [UInt8], at offset: Int) -> UInt32? {
        guard offset <= bytes.count - 4 else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }
}
