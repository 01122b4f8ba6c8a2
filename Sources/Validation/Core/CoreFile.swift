import ELF
import Files
import Glibc
import Search

/// A core dump: the mappings, and the memory that was dumped. Nothing in it is trusted.
final class CoreFile {
    /// A mapped file, from the note NT_FILE.
    struct Mapping {
        var path: String
        /// AVMA of the first byte, and AVMA after the last byte.
        var start: UInt64
        var end: UInt64
        /// The first byte's offset in the file, in bytes.
        var fileOffset: UInt64
    }

    let path: String
    let image: ELFImage
    let machine: UInt16
    /// In the kernel's order: by ascending address.
    private(set) var mappings: [Mapping] = []
    /// Values by type, AT_* (getauxval(3)).
    private(set) var auxiliaryVector: [UInt64: UInt64] = [:]
    /// The bits of a signed return address that belong to the address; all bits if addresses aren't signed.
    let addressBits: UInt64
    let descriptor: Int32
    /// PT_LOAD segments that have bytes, by ascending address.
    private let segments: [Segment]

    /// Bytes of notes that are read. A thread has a few KiB, a mapped file some hundred bytes.
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
        // On aarch64, Linux gives user space 48-bit addresses unless a program asks for more.
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

    /// The dumped bytes from an address to the end of its segment, at most `limit`; empty if they can't be read.
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

    /// Returns the number of bytes read.
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

    /// Takes the file mappings and the auxiliary vector from notes (gABI, "Note Section").
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
