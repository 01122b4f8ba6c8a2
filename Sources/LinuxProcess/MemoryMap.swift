import CLinux
import Files
import Glibc

/// An executable mapping of a process: a line of /proc/PID/maps (proc(5)), or a perf event for a new mapping.
public struct ExecutableMapping: Equatable, Sendable {
    /// AVMA of the first byte.
    public var start: UInt64
    /// AVMA behind the last byte.
    public var end: UInt64
    /// In the file, in bytes.
    public var offset: UInt64
    /// The file system's device: major number << 32 | minor number. An inode number is only unique within a device.
    public var device: UInt64
    /// 0 if no file is mapped.
    public var inode: UInt64
    /// The path in the process's file system, or the kernel's name for memory without a file, such as `[vdso]`. Empty
    /// if it has no name.
    public var path: String

    package init(start: UInt64, end: UInt64, offset: UInt64, device: UInt64, inode: UInt64, path: String) {
        (self.start, self.end, self.offset) = (start, end, offset)
        (self.device, self.inode, self.path) = (device, inode, path)
    }

    /// Whether a file is mapped; it may be deleted by now.
    package var isFile: Bool { inode != 0 && path.hasPrefix("/") }
    /// The kernel marks a deleted or replaced file so; its contents remain as long as it is mapped.
    package var isDeleted: Bool { path.hasSuffix(" (deleted)") }
    package var file: FileNumber { FileNumber(device: device, inode: inode) }

    /// Whether both map the same file such that an address has the same offset in it.
    package func isSame(as other: Self) -> Bool {
        file == other.file && start &- offset == other.start &- other.offset
    }
}

/// Identifies a file: different file systems may use the same inode number.
package struct FileNumber: Hashable, Sendable {
    /// As ``ExecutableMapping/device``.
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    package init(_ status: stat) {
        let device = status.st_dev
        self.init(
            device: UInt64(gnu_dev_major(device)) << 32 | UInt64(gnu_dev_minor(device)), inode: UInt64(status.st_ino))
    }
}

/// The executable mappings of a process, by ascending address.
package struct MemoryMap {
    package var mappings: [ExecutableMapping] = []
    /// The thread whose directory in /proc was read: the process's first, unless it has ended before others.
    package private(set) var thread: Int32
    /// When reading began, by CLOCK_MONOTONIC, in nanoseconds. Earlier mappings are included.
    package private(set) var time: UInt64 = 0

    /// Bytes read from /proc/PID/maps, enough for some hundred thousand mappings.
    private static let limit = 64 << 20

    /// Reads the mappings of a process. A process that ends meanwhile, or is a zombie, has none.
    ///
    /// - Throws: ``ProcessError/noSuchProcess(_:)``, ``ProcessError/cannotRead(_:errno:)``.
    package init(of process: Int32) throws(ProcessError) {
        time = MonotonicClock.now
        var text = try Self.text(of: process)
        thread = process
        if text.isEmpty {
            for other in Self.threads(of: process) where other != process {
                guard let found = try? Self.text(of: other), !found.isEmpty else { continue }
                (text, thread) = (found, other)
                break
            }
        }
        text.withUnsafeBytes { mappings = Self.parse($0) }
    }

    /// Parses the contents of a thread's `maps` file.
    package init(of thread: Int32, text: UnsafeRawBufferPointer, time: UInt64) {
        (self.thread, self.time, mappings) = (thread, time, Self.parse(text))
    }

    package static func parse(_ text: UnsafeRawBufferPointer) -> [ExecutableMapping] {
        var mappings: [ExecutableMapping] = []
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: "\n") { end += 1 }
            if let mapping = line(UnsafeRawBufferPointer(rebasing: text[start..<end])) { mappings.append(mapping) }
            start = end + 1
        }
        return mappings
    }

    /// Nil if the mapping isn't executable, or if the line is malformed.
    private static func line(_ text: UnsafeRawBufferPointer) -> ExecutableMapping? {
        var at = 0
        func number(radix: UInt64) -> UInt64? {
            var value: UInt64 = 0
            let first = at
            while at < text.count, let digit = hexDigit(text[at]), digit < radix {
                value = value &* radix &+ digit
                at += 1
            }
            return at > first && at - first <= 20 ? value : nil
        }
        func skip(_ character: Character) -> Bool {
            guard at < text.count, text[at] == character.asciiValue else { return false }
            at += 1
            return true
        }
        guard let start = number(radix: 16), skip("-"), let end = number(radix: 16), skip(" "), start < end,
            at + 4 <= text.count
        else { return nil }
        guard text[at + 2] == UInt8(ascii: "x") else { return nil }
        at += 4
        guard skip(" "), let offset = number(radix: 16), skip(" "), let major = number(radix: 16), skip(":"),
            let minor = number(radix: 16), skip(" "), let inode = number(radix: 10)
        else { return nil }
        while skip(" ") {}
        return ExecutableMapping(
            start: start, end: end, offset: offset, device: major << 32 | minor, inode: inode,
            path: name(UnsafeRawBufferPointer(rebasing: text[at...])))
    }

    /// The kernel writes a newline in a path as \012.
    private static func name(_ bytes: UnsafeRawBufferPointer) -> String {
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(path: bytes) }
        var characters: [UInt8] = []
        var rest = Array(bytes)[...]
        while let first = rest.first {
            if rest.starts(with: [0x5c, 0x30, 0x31, 0x32]) {
                characters.append(UInt8(ascii: "\n"))
                rest = rest.dropFirst(4)
            } else {
                characters.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(path: characters)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x61...0x66: UInt64(byte - 0x57)
        default: nil
        }
    }

    private static func text(of process: Int32) throws(ProcessError) -> [UInt8] {
        let descriptor = open("/proc/\(process)/maps", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(process, errno) }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while text.count < limit {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure(process, errno) }
            if count == 0 { break }
            text += chunk[..<count]
        }
        return text
    }

    private static func threads(of process: Int32) -> [Int32] {
        let names = try? Directory.names(in: "/proc/\(process)/task")
        return (names ?? []).compactMap { Int32($0) }
    }

    private static func failure(_ process: Int32, _ code: Int32) -> ProcessError {
        code == ENOENT || code == ESRCH ? .noSuchProcess(process) : .cannotRead(process, errno: code)
    }
}
