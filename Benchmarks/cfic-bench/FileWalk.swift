import ELF
import Files
import Glibc
import TableCompiler

extension FileWalk {
    /// The ELF files of the walk.
    var elfFiles: [FoundFile] {
        files.filter { file in
            let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            return ELFImage.isELF(descriptor: descriptor)
        }
    }
}

/// Prints the number of ELF files and their total size. Run in a process of its own, because a walk takes memory, and
/// this process's peak memory limits what it can measure (see `ProcessCost.peakMemory`).
func printELFCount(_ roots: [String]) {
    let files = FileWalk(roots).elfFiles
    print("files", files.count, "bytes", files.reduce(0) { $0 + $1.size })
}

/// A directory for the measured processes' output. Removed with the value.
struct TemporaryDirectory: ~Copyable {
    let path: String

    init() throws(ProcessFailure) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/cfic-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ProcessFailure(description: "\(parent): \(systemMessage(errno))")
        }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    }

    deinit {
        _ = try? run(["rm", "-rf", path])
    }
}
