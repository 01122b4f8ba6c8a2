import Files
import Glibc

/// A process that has mapped many libraries: this executable, started again.
struct LibraryProcess {
    let process: pid_t
    private let output: Int32

    /// - Throws: if it can't be started or doesn't find enough libraries.
    init(count: Int) throws {
        var ends: (Int32, Int32) = (0, 0)
        let status = withUnsafeMutableBytes(of: &ends) { pipe($0.bindMemory(to: Int32.self).baseAddress) }
        guard status == 0 else { throw ProcessFailure(description: "a pipe: \(systemMessage(errno))") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends.1, STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends.0)
        let words = ["cfic-bench", "--map-libraries", "\(count)"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var child: pid_t = 0
        let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, &arguments, environ)
        posix_spawn_file_actions_destroy(&actions)
        for argument in arguments { free(argument) }
        close(ends.1)
        guard code == 0 else { throw ProcessFailure(description: "starting a process: \(systemMessage(code))") }
        (process, output) = (child, ends.0)
        // It writes a byte when the libraries are mapped.
        var byte: UInt8 = 0
        guard read(output, &byte, 1) == 1 else {
            end()
            throw ProcessFailure(description: "there are no \(count) libraries to map")
        }
    }

    func end() {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        close(output)
    }

    /// Runs in that process: maps libraries, writes a byte, and waits to be killed.
    static func mapLibraries(_ count: Int) {
        #if arch(x86_64)
            let directory = "/usr/lib/x86_64-linux-gnu"
        #else
            let directory = "/usr/lib/aarch64-linux-gnu"
        #endif
        // Libraries are loaded with their dependencies, until enough are mapped. Their functions aren't called.
        for name in ((try? Directory.names(in: directory)) ?? []).sorted() where name.contains(".so.") {
            if mappedLibraries() >= count { break }
            dlopen("\(directory)/\(name)", RTLD_LAZY | RTLD_LOCAL)
        }
        guard mappedLibraries() >= count else { return }
        var byte: UInt8 = 1
        write(STDOUT_FILENO, &byte, 1)
        while true { pause() }
    }

    /// The number of executable mappings of files.
    private static func mappedLibraries() -> Int {
        guard let file = fopen("/proc/self/maps", "re") else { return 0 }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var count = 0
        while getline(&line, &capacity, file) > 0, let text = line {
            let line = String(cString: text)
            if line.contains("r-xp"), line.contains("/") { count += 1 }
        }
        return count
    }
}
