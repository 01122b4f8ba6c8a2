import CUnwindTable
import CXXHash
import ELF
import Foundation
import TableCompiler
import TableStore
import Testing
import UnwindTable

/// A directory that is removed with its last reference.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/cfic-store-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The paths of all files in it, without directories.
    func files() -> [String] {
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return names.map { path + "/" + $0 }.filter { path in
            var status = stat()
            return lstat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
        }
    }

    func temporaries() -> [String] { files().filter { $0.hasSuffix(".tmp") } }
}

struct TestFailure: Error {
    var message: String
    init(_ message: String) { self.message = message }
}

/// The table of `image`, as if `key` were its key.
func compiledTable(of image: String = "/bin/true", key: TableSource.Key, keepsGaps: Bool = false) throws -> [UInt8] {
    let compiler = ImageCompiler(options: TableOptions(keepsGaps: keepsGaps), debugFiles: nil)
    return Array(try compiler.compile(ELFImage(path: image), key: key).built.table)
}

extension [UInt8] {
    /// The same table with a changed header and the right checksum.
    func withHeader(_ change: (inout cfic_table_header) -> Void) -> [UInt8] {
        var copy = self
        copy.withUnsafeMutableBytes { bytes in
            var header = bytes.load(as: cfic_table_header.self)
            change(&header)
            bytes.storeBytes(of: header, as: cfic_table_header.self)
            let size = TableHeader.size(keySize: Int(header.key_size), digestSize: Int(header.digest_size))
            let checksum = XXH64(bytes.baseAddress, size - 8, 0)
            bytes.storeBytes(of: checksum, toByteOffset: size - 8, as: UInt64.self)
        }
        return copy
    }

    /// The header of a table.
    func header() throws -> TableHeader { try withUnsafeBytes { try TableVerifier.readHeader($0) } }

    func write(to path: String) throws {
        let parent = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: path, contents: Data(self)) else {
            throw TestFailure("cannot write \(path)")
        }
    }

    /// Everything that can be read from `path`, which may be a FIFO.
    init(contentsOf path: String) throws {
        guard let file = fopen(path, "r") else { throw TestFailure("cannot read \(path)") }
        defer { fclose(file) }
        self = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { self += chunk[..<count] }
    }
}

extension StoredTable {
    func holds(_ table: [UInt8]) -> Bool { withUnsafeBytes { $0.elementsEqual(table) } }
}

extension TableStore {
    func insert(_ table: [UInt8], key: TableSource.Key) throws {
        try table.withUnsafeBytes { try insert($0, key: key) }
    }

    /// Why the table with `key` isn't current; nil if it is.
    func reason(_ key: TableSource.Key, options: TableOptions = TableOptions()) -> NotCurrent? {
        do throws(NotCurrent) {
            _ = try current(key: key, options: options)
            return nil
        } catch {
            return error
        }
    }
}

/// A process that runs `table-store-writer`, or another program.
struct Writer {
    let process: pid_t
    private let output: String?

    /// - Parameter output: a file for its output.
    init(_ arguments: [String], program: String? = nil, output: String? = nil) throws {
        self.output = output
        let program = try program ?? Self.program()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output {
            posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        defer { words.forEach { free($0) } }
        words.append(nil)
        var process: pid_t = 0
        let code = posix_spawn(&process, program, &actions, nil, words, environ)
        guard code == 0 else { throw TestFailure("cannot run \(program): errno \(code)") }
        self.process = process
    }

    /// The same with /proc/self/fd hidden. Without it an unnamed file can't get a name, so that the store uses the code
    /// for file systems without O_TMPFILE.
    static func withNamedTemporaries(_ arguments: [String], output: String) throws -> Writer {
        try hidingDescriptors([program()] + arguments, output: output)
    }

    /// Whether that is possible. It isn't in a chroot and in many containers.
    static let canHideDescriptors: Bool = {
        guard access("/usr/bin/unshare", X_OK) == 0 else { return false }
        return (try? hidingDescriptors(["true"], output: "/dev/null").wait()) == 0
    }()

    private static func hidingDescriptors(_ words: [String], output: String) throws -> Writer {
        let command = "mount -t tmpfs none /proc/$$/fd && exec \"$0\" \"$@\""
        return try Writer(["-m", "sh", "-c", command] + words, program: "/usr/bin/unshare", output: output)
    }

    /// The executable beside the test bundle, which is the running executable.
    static func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        let path = own.deletingLastPathComponent + "/table-store-writer"
        guard access(path, X_OK) == 0 else { throw TestFailure("\(path) is missing: swift build builds it") }
        return path
    }

    /// Waits until it exits.
    ///
    /// - Returns: the exit code, or the negated number of the signal that killed it.
    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }

    /// Its output, after ``wait()``.
    func printed() -> String {
        guard let output, let bytes = try? [UInt8](contentsOf: output) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A file system mounted for a test.
final class Mount {
    let path: String

    /// Whether this process may mount.
    static let isPossible: Bool = {
        guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
        return (try? Mount(at: directory.path, ["-t", "tmpfs", "-o", "size=64k", "tmpfs"])) != nil
    }()

    init(at path: String, _ arguments: [String]) throws {
        self.path = path
        guard try Writer(arguments + [path], program: "/bin/mount", output: "/dev/null").wait() == 0 else {
            throw TestFailure("cannot mount \(arguments)")
        }
    }

    deinit {
        // -l, because files may still be open there.
        _ = try? Writer(["-l", path], program: "/bin/umount", output: "/dev/null").wait()
    }
}
