import CLinux
import Files
import Glibc

/// The tracepoints of the running kernel, as tracefs lists them.
///
/// Where tracefs isn't mounted, a process with CAP_SYS_ADMIN gets at it nevertheless, through a mount that only this
/// object sees.
public final class Tracepoints: Sendable {
    /// Why a tracepoint can't be found.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// tracefs is not mounted, and this process may not mount it.
        case notMounted
        /// tracefs is there, but this process may not read it.
        case notPermitted
        /// A file of tracefs can't be read.
        case unreadable(String, errno: Int32)
        /// The kernel has no tracepoint with this name now.
        case unknown(String)

        public var description: String {
            switch self {
            case .notMounted:
                "tracepoints are listed in tracefs, which is not mounted: mount -t tracefs none /sys/kernel/tracing"
            case .notPermitted:
                "tracepoints are listed in tracefs, which this user may not read: run cfic as root, or mount it for a "
                    + "group: mount -o remount,mode=750,gid=GROUP /sys/kernel/tracing"
            case .unreadable(let file, let code): "reading \(file) of tracefs: \(systemMessage(code))"
            case .unknown(let name): "this kernel has no tracepoint \(name)"
            }
        }
    }

    private let directory: Int32

    /// Opens tracefs.
    public init() throws(Failure) {
        if let mounted = try Self.openMounted(at: ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]) {
            directory = mounted
        } else {
            directory = try Self.mount()
        }
    }

    /// - Throws: ``Failure/notMounted`` if there are no tracepoints in this directory.
    init(mountedAt path: String) throws(Failure) {
        guard let directory = try Self.openMounted(at: [path]) else { throw .notMounted }
        self.directory = directory
    }

    /// The first of the directories that is tracefs; nil if none is.
    private static func openMounted(at paths: [String]) throws(Failure) -> Int32? {
        for path in paths {
            let descriptor = path.withPath { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            if descriptor < 0, errno == EACCES { throw .notPermitted }
            if descriptor < 0 { continue }
            if faccessat(descriptor, "events", X_OK, 0) == 0 { return descriptor }
            let code = errno
            close(descriptor)
            if code == EACCES { throw .notPermitted }
        }
        return nil
    }

    private static func mount() throws(Failure) -> Int32 {
        let directory = tracefs_mount()
        guard directory >= 0 else { throw .notMounted }
        return directory
    }

    deinit { close(directory) }

    /// Whether text has the form `group:name`, with characters that names have.
    public static func isName(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { byte in
                        byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                            || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                            || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                    }
            }
    }

    /// The tracepoint with this name, `group:name`.
    public func event(named name: String) throws(Failure) -> SamplingEvent {
        guard Self.isName(name) else { throw .unknown(name) }
        let path = "events/\(name.replacing(":", with: "/"))/id"
        let text: String
        do throws(Failure) {
            text = try read(path)
        } catch {
            throw error == .unreadable(path, errno: ENOENT) ? .unknown(name) : error
        }
        guard let id = UInt64(text.prefix { $0 != "\n" }) else { throw .unreadable(path, errno: EINVAL) }
        return SamplingEvent(tracepoint: name, id: id)
    }

    /// The names of all tracepoints, `group:name`, sorted.
    public func names() throws(Failure) -> [String] {
        try read("available_events").split(separator: "\n").map(String.init).filter(Self.isName).sorted()
    }

    private func read(_ path: String) throws(Failure) -> String {
        let descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == EACCES || errno == EPERM ? .notPermitted : .unreadable(path, errno: errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw .unreadable(path, errno: errno) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<count]
        }
    }
}
