import CLibdw
import Files
import Glibc

/// An ELF file, or an image in memory, opened with libdw.
final class LibdwFile {
    struct Failure: Error, CustomStringConvertible {
        let name: String
        let message: String
        var description: String { "\(name): libdw: \(message)" }
    }

    let elf: OpaquePointer
    /// Nil if there is no .eh_frame.
    let ehFrame: OpaquePointer?
    /// Nil if there is no .debug_frame. Owned by `dwarf`.
    let debugFrame: OpaquePointer?
    private let dwarf: OpaquePointer?
    private let descriptor: Int32
    /// The memory that `elf` reads from; nil for a file.
    private let memory: UnsafeMutableBufferPointer<CChar>?

    /// The file is read, not mapped, so that its shrinking causes an error instead of SIGBUS.
    convenience init(path: String) throws(Failure) {
        _ = elf_version(UInt32(EV_CURRENT))
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw Failure(name: path, message: systemMessage(errno)) }
        guard let elf = elf_begin(descriptor, ELF_C_READ, nil) else {
            close(descriptor)
            throw Failure(name: path, message: LibdwFile.text(elf_errmsg(-1)))
        }
        self.init(elf, descriptor, nil)
    }

    convenience init(bytes: [UInt8], name: String) throws(Failure) {
        _ = elf_version(UInt32(EV_CURRENT))
        let memory = bytes.copiedForLibelf
        guard let elf = elf_memory(memory.baseAddress, bytes.count) else {
            memory.deallocate()
            throw Failure(name: name, message: LibdwFile.text(elf_errmsg(-1)))
        }
        self.init(elf, -1, memory)
    }

    private init(_ elf: OpaquePointer, _ descriptor: Int32, _ memory: UnsafeMutableBufferPointer<CChar>?) {
        self.elf = elf
        self.descriptor = descriptor
        self.memory = memory
        ehFrame = dwarf_getcfi_elf(elf)
        dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nil)
        debugFrame = dwarf.flatMap { dwarf_getcfi($0) }
    }

    deinit {
        if let ehFrame { dwarf_cfi_end(ehFrame) }
        if let dwarf { dwarf_end(dwarf) }
        elf_end(elf)
        if descriptor >= 0 { close(descriptor) }
        memory?.deallocate()
    }

    /// An error message of elfutils. It may be missing, because one of its libraries may report another's error number.
    static func text(_ message: UnsafePointer<CChar>?) -> String {
        message.map { String(cString: $0) } ?? "unknown error"
    }

    /// `e_machine`; 0 if there is no ELF header.
    var machine: UInt16 {
        var header = GElf_Ehdr()
        return gelf_getehdr(elf, &header) == nil ? 0 : header.e_machine
    }
}

extension [UInt8] {
    /// A copy for elf_memory, which takes a pointer to mutable memory. The caller must deallocate it.
    var copiedForLibelf: UnsafeMutableBufferPointer<CChar> {
        withUnsafeBytes { bytes in
            let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Swift.max(bytes.count, 1))
            UnsafeMutableRawBufferPointer(memory).copyMemory(from: bytes)
            return memory
        }
    }
}
