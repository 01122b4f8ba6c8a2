import ArgumentParser
import Files
import KernelUnwinder
import LinuxProcess

/// Options that restrict which threads `cfic profile` samples.
struct FilterOptions: ParsableArguments {
    @Option(
        name: .customLong("comm"),
        help: ArgumentHelp("Only threads with this name; may be repeated.", valueName: "name"))
    var commands: [String] = []

    @Option(
        name: [.customShort("t"), .customLong("tid")],
        help: ArgumentHelp("Only this thread; may be repeated.", valueName: "tid"))
    var threads: [Int32] = []

    @Option(
        help: ArgumentHelp(
            "Only threads in this cgroup (version 2) or below it: a path, or one below the hierarchy's mount point.",
            valueName: "path"), completion: .directory)
    var cgroup: String?

    @Flag(name: .customLong("no-kernel"), help: "Leave out kernel frames and kernel threads.")
    var noKernel = false

    func validate() throws {
        if let thread = threads.first(where: { $0 < 1 }) { throw ValidationError("\(thread) is not a thread id.") }
        if commands.contains("") { throw ValidationError("--comm takes a name.") }
        if let long = commands.first(where: { $0.pathBytes.count > SampleFilter.longestCommand }) {
            throw ValidationError(
                "Threads' names have at most \(SampleFilter.longestCommand) bytes, and '\(long)' has more.")
        }
    }

    func filter() throws -> SampleFilter {
        var filter = SampleFilter()
        filter.threads = Set(threads)
        filter.commands = Set(commands)
        filter.cgroup = cgroup.map { path in
            path.hasPrefix("/") ? path : "\(Cgroups()?.mountPoint ?? "/sys/fs/cgroup")/\(path)"
        }
        return filter
    }
}
