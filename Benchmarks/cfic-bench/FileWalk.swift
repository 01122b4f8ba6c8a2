import Glibc

/// The ELF files below directories, each once however many hard links it has. Symbolic links are not followed.
struct FileWalk {
    /// Paths, by directory and in order of their names.
    private(set) var paths: [String] = []
    /// Sum of the files' sizes.
    private(set) var bytes: UInt64 = 0
    private var seen: Set<FileID> = []

    private struct FileID: Hashable {
        var device: dev_t
        var inode: ino_t
    }

    init(_ roots: [String]) {
        for root in roots { visit(root) }
    }

    private mutating func visit(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            // Directories can't be hard links, so that there are no cycles; two roots may overlap.
            guard seen.insert(FileID(device: status.st_dev, inode: status.st_ino)).inserted else { return }
            for name in names(in: path).sorted() { visit("\(path)/\(name)") }
        case S_IFREG:
            guard status.st_size >= 64, seen.insert(FileID(device: status.st_dev, inode: status.st_ino)).inserted,
                isELF(path)
            else { return }
            paths.append(path)
            bytes += UInt64(status.st_size)
        default: break
        }
    }

    private func isELF(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var magic: UInt32 = 0
        return read(descriptor, &magic, 4) == 4 && UInt32(bigEndian: magic) == 0x7f45_4c46
    }
}

/// The names in a directory, without `.` and `..`; none if it can't be read.
func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// A directory for what the measured processes write; it goes with the value.
struct TemporaryDirectory: ~Copyable {
    let path: String

    init() throws(ProcessFailure) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/cfic-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ProcessFailure(description: "\(parent): \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    }

    deinit {
        _ = try? run(["rm", "-rf", path])
    }
}
