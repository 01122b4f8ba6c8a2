import CLibbpf
import CUnwindTable
import Files
import Glibc

/// Which threads are sampled. A thread must satisfy all conditions that are set; the BPF programs check them.
public struct SampleFilter: Sendable {
    /// Threads, by id in the initial pid namespace; empty for any.
    public var threads: Set<Int32> = []
    /// Names of threads, of at most 15 bytes, as in `/proc/PID/comm`; empty for any.
    public var commands: Set<String> = []
    /// The directory of a cgroup of version 2, in which or below which a thread must be; nil for any.
    public var cgroup: String?

    /// Every thread.
    public init() {}

    /// The longest name of a thread, in bytes.
    public static let longestCommand = 15

    /// `cfic_settings.filters`
    var bits: UInt32 {
        (threads.isEmpty ? 0 : UInt32(CFIC_FILTER_THREADS)) | (commands.isEmpty ? 0 : UInt32(CFIC_FILTER_COMMANDS))
            | (cgroup == nil ? 0 : UInt32(CFIC_FILTER_CGROUPS))
    }

    /// The sizes that the filters' maps need, by name.
    var mapSizes: [(map: String, entries: UInt32)] {
        [
            ("wanted_threads", UInt32(clamping: max(1, threads.count))),
            ("wanted_commands", UInt32(clamping: max(1, commands.count))),
        ]
    }

    /// Fills the filters' maps.
    func write(to object: KernelObject) throws(KernelError) {
        var one: UInt8 = 1
        for thread in threads {
            var key = thread
            try Self.check(bpf_map_update_elem(try object.map("wanted_threads"), &key, &one, 0), "thread \(thread)")
        }
        for command in commands {
            var key = [UInt8](repeating: 0, count: Self.longestCommand + 1)
            for (index, byte) in command.pathBytes.prefix(Self.longestCommand).enumerated() { key[index] = byte }
            try Self.check(bpf_map_update_elem(try object.map("wanted_commands"), &key, &one, 0), "name \(command)")
        }
        guard let cgroup else { return }
        var (index, descriptor) = (UInt32(0), cgroup.withPath { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
        guard descriptor >= 0 else { throw .cgroup(cgroup, errno: errno) }
        defer { close(descriptor) }
        let status = bpf_map_update_elem(try object.map("wanted_cgroup"), &index, &descriptor, 0)
        guard status == 0 else { throw .cgroup(cgroup, errno: -status) }
    }

    private static func check(_ status: Int32, _ what: String) throws(KernelError) {
        guard status == 0 else { throw .system("filtering by \(what)", errno: -status) }
    }
}
