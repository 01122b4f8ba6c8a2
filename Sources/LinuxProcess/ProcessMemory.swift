import CLinux
import ELF
import Files
import Glibc

/// The memory of another process, read by process_vm_readv(2), which needs the permission to trace the process.
package struct ProcessMemory {
    private let process: Int32

    package init(of process: Int32) { self.process = process }

    /// The most bytes read by one call.
    private static let limit = 1 << 20

    /// The bytes at an address; fewer if not all of them can be read.
    package func bytes(at address: UInt64, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: min(max(count, 0), Self.limit)) { buffer, filled in
            filled = max(0, process_memory_read(process, address, buffer.baseAddress, buffer.count))
        }
    }

    /// Whether a file is the mapped one, judging by a comparison of pages.
    package func has(_ file: MappedFile, _ mapping: ExecutableMapping) -> Bool {
        // The process may have put a FIFO there since the path was examined.
        let descriptor = file.path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, FileIdentity(status) == file.identity else { return false }
        return Self.isSame(
            mapping,
            file: { offset, count in
                [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                    filled = max(0, pread(descriptor, buffer.baseAddress, buffer.count, off_t(clamping: offset)))
                }
            }, memory: bytes)
    }

    /// Compares one page in each of 16 parts of a mapping with the file. Different builds differ in addresses all over
    /// their code.
    ///
    /// - Parameters:
    ///   - file: returns bytes at an offset of the file.
    ///   - memory: returns bytes at an AVMA.
    package static func isSame(
        _ mapping: ExecutableMapping, file: (UInt64, Int) -> [UInt8], memory: (UInt64, Int) -> [UInt8]
    ) -> Bool {
        let page: UInt64 = 4096
        let pages = (mapping.end &- mapping.start) / page
        var compared = 0
        for part in 0..<min(pages, 16) {
            let distance = pages * part / min(pages, 16) * page
            let expected = file(mapping.offset &+ distance, Int(page))
            // The file may end within the last page; the bytes after it aren't the file's.
            let found = memory(mapping.start &+ distance, expected.count)
            guard found == expected else { return false }
            compared += expected.count
        }
        return compared > 0
    }
}
