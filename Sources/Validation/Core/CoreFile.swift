import ELF
import Files
import Glibc
import Search

/// A core dump: what was mapped, and the memory that was dumped. Nothing in it is trusted.
final class CoreFile {
    /// A file mapping, from the note NT_FILE.
    struct Mapping {
        var path: String
        /// AVMAs: the first byte, and behind the last one.
        var start: UInt64
        var end: UInt64
        /// In the file, of the first byte.
        var fileOffset: UInt64
    }

    let path: String
    let image: ELFImage
    let machine: UInt16
    /// As the kernel lists them: by rising address.
    private(set) var mappings: [Mapping] = []
    /// AT_* → value (getauxval(3)).
    private(set) var auxiliaryVector: [UInt64: UInt64] = [:]
    /// The bits of a signed return address that are the address; all where nothing is signed.
    let addressBits: UInt64
    let descriptor: Int32
    /// PT_LOADs that have bytes, by rising address.
    private let segments: [Segment]

    /// Bytes of notes that are looked at: threads have a few KiB each, file mappings some hundred bytes.
    private static let noteLimit: UInt64 = 1 << 28

    /// - Throws: `ELFError`.
    init(path: String) throws(ELFError) {
        self.path = path
        image = try ELFImage(path: path)
        guard image.fileType == .core else { throw ELFError(file: path, kind: .unsupported("not a core dump")) }
        guard image.is64Bit, !image.isBigEndian else {
            throw ELFError(file: path, kind: .unsupported("core dumps of 32-bit or big-endian programs"))
        }
        machine = image.machine.rawValue
        // Linux gives user space 48 bits of address on aarch64, unless a program asks for more.
        addressBits = machine == 183 ? 1 << 48 - 1 : .max
        segments = image.segments.filter { $0.isLoad && $0.fileSize > 0 }
            .sorted { $0.virtualAddress < $1.virtualAddress }
        descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw ELFError(file: path, kind: .cannotOpen(errno: errno)) }
        var rest = Self.noteLimit
        for segment in image.segments where segment.type == UInt32(PT_NOTE) {
            let size = min(segment.fileSize, image.size - min(segment.offset, image.size), rest)
            rest -= size
            var bytes = [UInt8](repeating: 0, count: Int(size))
            let count = bytes.withUnsafeMutableBytes { read(into: $0, at: segment.offset) }
            take(notes: bytes[..<count])
        }
    }

    deinit { close(descriptor) }

    // MARK: Memory

    /// Copies memory as it was when the program was dumped; false unless all of it was dumped.
    func copy(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < buffer.count {
            let (position, overflow) = address.addingReportingOverflow(UInt64(done))
            guard !overflow, let segment = segment(at: position) else { return false }
            let distance = position - segment.virtualAddress
            let count = Int(min(UInt64(buffer.count - done), segment.fileSize - distance))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            guard read(into: part, at: segment.offset &+ distance) == count else { return false }
            done += count
        }
        return true
    }

    /// The bytes from an address to the end of what was dumped with it, `limit` at most.
    func bytes(at address: UInt64, limit: Int) -> [UInt8] {
        guard let segment = segment(at: address) else { return [] }
        let size = Int(min(segment.fileSize - (address - segment.virtualAddress), UInt64(limit)))
        var bytes = [UInt8](repeating: 0, count: size)
        return bytes.withUnsafeMutableBytes { copy(from: address, to: $0) } ? bytes : []
    }

    private func segment(at address: UInt64) -> Segment? {
        guard let index = segments.lastIndex(atMost: address, by: { $0.virtualAddress }) else { return nil }
        let segment = segments[index]
        return address - segment.virtualAddress < segment.fileSize ? segment : nil
    }

    /// How many bytes could be read.
    private func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
        guard let offset = off_t(exactly: offset) else { return 0 }
        var done = 0
        while done < buffer.count {
            let rest = buffer.baseAddress.map { $0 + done }
            let count = pread(descriptor, rest, buffer.count - done, offset + off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        return done
    }

    // MARK: Notes

    /// gABI, "Note Section": name size, descriptor size, type; name and descriptor, each padded to 4 bytes.
    private func take(notes bytes: ArraySlice<UInt8>) {
        var reader = NoteReader(bytes)
        while let note = reader.next() {
            guard note.name == "CORE" else { continue }
            switch note.type {
            case 0x4649_4c45: mappings += note.fileMappings  // NT_FILE
            case 6: auxiliaryVector.merge(note.auxiliaryVector) { first, _ in first }  // NT_AUXV
            default: break
            }
        }
    }
}
