import Files
@preconcurrency import Glibc

/// A profiler of the whole machine, cfic or perf, while it runs.
struct RunningProfiler {
    /// What it has used so far, in seconds.
    struct Use {
        /// CPU time of all its threads, in user space and in the kernel.
        var cpu = 0.0
        /// Run time of its BPF programs, by the kernel's statistics, and how often they ran.
        var bpf = 0.0
        var runs = 0.0
        var wall = 0.0

        static func - (one: Self, other: Self) -> Self {
            Self(
                cpu: one.cpu - other.cpu, bpf: one.bpf - other.bpf, runs: one.runs - other.runs,
                wall: one.wall - other.wall)
        }
    }

    let process: pid_t
    /// When it was started (``Clock/wall``).
    let began: Double
    private let name: String

    /// Starts it. Its messages are discarded.
    init(_ words: [String]) throws {
        name = words.joined(separator: " ")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        began = Clock.wall
        var child: pid_t = 0
        let code = posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else { throw ProcessFailure(description: "\(words[0]): \(systemMessage(code))") }
        process = child
    }

    /// Waits until it has at least as many open events and attached programs, and then for things to settle.
    func waitUntilSampling(_ count: Int, settling: Double = 1) throws {
        try wait("begin to sample") {
            descriptors { $0 == "anon_inode:[perf_event]" || Self.isLink($0) }.count >= count
        }
        usleep(UInt32(settling * 1e6))
    }

    private static func isLink(_ target: String) -> Bool {
        target.hasPrefix("anon_inode:bpf") && (target.contains("link") || target.contains("tracepoint"))
    }

    /// Polls a condition every two milliseconds, for at most half a minute.
    func wait(_ what: String, until condition: () throws -> Bool) throws {
        let start = Clock.wall
        while try !condition() {
            guard Clock.wall - start < 30, waitpid(process, nil, WNOHANG) == 0 else {
                throw ProcessFailure(description: "\(name) did not \(what)")
            }
            usleep(2000)
        }
    }

    /// Ends it as Ctrl-C does.
    func stop() {
        kill(process, SIGINT)
        waitpid(process, nil, 0)
    }

    var use: Use {
        var use = Use(wall: Clock.wall)
        for thread in (try? Directory.names(in: "/proc/\(process)/task")) ?? [] {
            let text = smallFile("/proc/\(process)/task/\(thread)/schedstat") ?? ""
            use.cpu += (text.split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1e9
        }
        var seen: Set<Double> = []
        for name in descriptors({ $0.hasPrefix("anon_inode:bpf-prog") }) {
            let fields = self.fields(of: name)
            guard let id = fields["prog_id"], seen.insert(id).inserted else { continue }
            use.bpf += (fields["run_time_ns"] ?? 0) / 1e9
            use.runs += fields["run_cnt"] ?? 0
        }
        return use
    }

    /// Bytes in memory, and those of them that are the kernel's tables.
    var memory: (resident: Double, tables: Double)? {
        guard let file = fopen("/proc/\(process)/smaps", "re") else { return nil }
        defer { fclose(file) }
        var (resident, tables, isTable) = (0.0, 0.0, false)
        var text: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(text) }
        while getline(&text, &capacity, file) > 0, let text {
            let line = String(cString: text)
            let words = line.split { $0 == " " || $0 == "\n" }
            guard let first = words.first else { continue }
            if first == "Rss:", words.count > 1, let size = Double(words[1]) {
                resident += size * 1024
                if isTable { tables += size * 1024 }
            } else if !first.hasSuffix(":") {
                isTable = words.last == "anon_inode:bpf-map"
            }
        }
        return (resident, tables)
    }

    /// The ids of its BPF maps.
    var maps: Set<UInt32> {
        Set(
            descriptors { $0.hasPrefix("anon_inode:bpf-map") }.compactMap {
                fields(of: $0)["map_id"].map { UInt32($0) }
            })
    }

    private func fields(of descriptor: String) -> [String: Double] {
        var fields: [String: Double] = [:]
        for line in (smallFile("/proc/\(process)/fdinfo/\(descriptor)") ?? "").split(separator: "\n") {
            let words = line.split { $0 == ":" || $0 == "\t" || $0 == " " }
            if words.count == 2, let value = Double(words[1]) { fields[String(words[0])] = value }
        }
        return fields
    }

    /// Its descriptors, by what they are links to.
    private func descriptors(_ isWanted: (String) -> Bool) -> [String] {
        ((try? Directory.names(in: "/proc/\(process)/fd")) ?? []).filter { name in
            var bytes = [CChar](repeating: 0, count: 256)
            let count = readlink("/proc/\(process)/fd/\(name)", &bytes, bytes.count)
            return count > 0 && isWanted(String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
    }
}
