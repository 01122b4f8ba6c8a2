import CFileMapping
import CLiblzma
import Files
import Glibc

/// An open file descriptor, closed when the last reference goes.
final class OpenFile {
    let descriptor: Int32
    let identity: FileIdentity
    /// See ``ELFImage/othersMayWrite``.
    private(set) lazy var othersMayWrite = FileWriters.areOthers(descriptor)
    /// Bytes of the file that are not in holes, if holes make up nearly all of it; else its size.
    let presentBytes: UInt64

    /// Opens a regular file for reading. `stat` comes first because opening a device can have effects (a tape rewinds,
    /// a watchdog starts). `O_NONBLOCK` is set because the path may have become a FIFO since.
    convenience init(path: String) throws(ELFError) {
        var status = stat()
        guard path.withPath({ stat($0, &status) }) == 0 else {
            throw ELFError(file: path, kind: .cannotOpen(errno: errno))
        }
        guard status.isRegularFile else { throw ELFError(file: path, kind: .notRegularFile) }
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw ELFError(file: path, kind: .cannotOpen(errno: errno)) }
        try self.init(descriptor: descriptor, path: path)
    }

    /// Takes ownership of `descriptor`, which is closed even if this throws.
    init(descriptor: Int32, path: String) throws(ELFError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw ELFError(file: path, kind: .cannotOpen(errno: code))
        }
        guard status.isRegularFile else {
            close(descriptor)
            throw ELFError(file: path, kind: .notRegularFile)
        }
        self.descriptor = descriptor
        identity = FileIdentity(status)
        presentBytes = status.presentBytes(descriptor)
    }

    deinit {
        close(descriptor)
    }

    /// Reads at `offset` until `buffer` is full or the file ends. Returns the number of bytes read, or nil with `errno`
    /// set.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int? {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(clamping: offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            done += count
        }
        return done
    }
}

extension stat {
    fileprivate var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
}

/// Heap memory, freed when the last reference goes.
final class OwnedMemory {
    let bytes: UnsafeMutableRawBufferPointer

    /// Takes ownership of `bytes`, which come from `malloc` or `allocate`.
    init(adopting bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    init(copying source: UnsafeRawBufferPointer) {
        // 16 is what malloc guarantees; libelf reads headers in place.
        bytes = .allocate(byteCount: source.count, alignment: 16)
        bytes.copyMemory(from: source)
    }

    deinit {
        bytes.deallocate()
    }
}

/// A mapped part of a file; `file_mapping.h` explains what happens if the file shrinks.
final class MappedBytes {
    private var mapping: cfic_file_mapping

    /// Maps `count` bytes, more than 0, at `offset`, both within the file; nil if that fails.
    init?(_ file: OpenFile, offset: UInt64, count: Int) {
        var mapping = cfic_file_mapping()
        // Before the object is complete: otherwise it would be destroyed, and unmap what isn't its own.
        guard cfic_map_file(file.descriptor, offset, count, &mapping) else { return nil }
        self.mapping = mapping
    }

    deinit {
        cfic_unmap_file(&mapping)
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mapping.start, count: mapping.size) }

    /// Whether bytes were missing when they were accessed, and read as zeros.
    var isBroken: Bool { cfic_mapping_is_broken(&mapping) }
}

/// The source of an image's bytes: a file, read piece by piece with `pread`, large pieces mapped; or memory.
enum ImageBytes {
    case file(OpenFile)
    case memory(OwnedMemory)

    var size: UInt64 {
        switch self {
        case .file(let file): file.identity.size
        case .memory(let memory): UInt64(memory.bytes.count)
        }
    }

    /// As `size`, but without holes.
    var presentSize: UInt64 {
        if case .file(let file) = self { file.presentBytes } else { size }
    }

    /// `count` bytes at `offset`; the caller has checked that both lie within `size`.
    func read(offset: UInt64, count: Int, name: String) throws(ELFError) -> [UInt8] {
        switch self {
        case .memory(let memory):
            return [UInt8](memory.bytes[Int(offset)..<Int(offset) + count])
        case .file(let file):
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset) ?? 0
                if initialized < count { failure = errno }
            }
            guard bytes.count == count else {
                throw bytes.isEmpty && failure != 0
                    ? ELFError(file: name, offset: offset, kind: .cannotRead(errno: failure))
                    : .shrank(file: name, offset: offset + UInt64(bytes.count))
            }
            return bytes
        }
    }

    /// More than any known debug file has; takes about a minute.
    private static let checksumLimit: UInt64 = 16 << 30

    /// The CRC-32 (IEEE 802.3, as in zlib and `.gnu_debuglink`) of all bytes, in chunks of 64 KiB.
    ///
    /// Throws ``ELFError`` if the file can't be read, exceeds 16 GiB or is nearly all holes.
    func checksum(name: String) throws(ELFError) -> UInt32 {
        guard size <= Self.checksumLimit, Budget(imageSize: presentSize).readable >= size else {
            throw ELFError(
                file: name,
                kind: .unsupported("a checksum over \(size) bytes, only \(presentSize) of which are not holes"))
        }
        var checksum: UInt32 = 0
        var offset: UInt64 = 0
        while offset < size {
            let chunk = try read(offset: offset, count: Int(min(size - offset, 65536)), name: name)
            checksum = chunk.withUnsafeBufferPointer { lzma_crc32($0.baseAddress, $0.count, checksum) }
            offset += UInt64(chunk.count)
        }
        return checksum
    }
}

extension ELFError {
    static func shrank(file: String, offset: UInt64) -> ELFError {
        ELFError(file: file, offset: offset, kind: .malformed("the file ends here: it shrank while it was read"))
    }
}
