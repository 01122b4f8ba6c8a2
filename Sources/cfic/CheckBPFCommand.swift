import JSONDocuments
import ArgumentParser
import BPFCheck
import Glibc

struct CheckBPFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-bpf",
        abstract: "Report what a kernel would reject in a BPF object, without loading it.",
        discussion: """
            Reads the instructions, types (BTF) and line information of objects as clang writes them and libbpf 1 loads \
            them. Checks global functions that take pointers, atomic and other new instructions, helpers and which \
            programs may call them, the licence, kernel functions, program types, maps and their definitions, stack \
            and call depth. A branch that libbpf disables (bpf_core_enum_value_exists, LINUX_KERNEL_VERSION, \
            constants of .rodata) is not followed.

            Without --kernel, checks for the running kernel and the types that it exports. --btf reads another \
            kernel's types, from its /sys/kernel/btf/vmlinux or from a copy of /sys/kernel/btf with modules. Attach \
            targets, CO-RE relocations and kernel functions are then checked against them, and the types, not the \
            release, decide which helpers, map types and program types exist.

            The known releases are Linux \(KernelVersion.known.lowerBound) to \
            \(KernelVersion.known.upperBound). No findings doesn't mean that the verifier accepts the object: it \
            checks every access, and this command doesn't.

            Examples:
              cfic check-bpf profiler.bpf.o --kernel 5.10
              cfic check-bpf *.bpf.o --kernel 5.10 --kernel 6.1 --machine aarch64
              cfic check-bpf profiler.bpf.o --kernel 4.18.0-553.el8 --btf el8.vmlinux.btf
              cfic check-bpf --json profiler.bpf.o --kernel 5.10 | jq '.findings[].problem'

            Exit codes: 0 no object is refused (findings with "only if", and those in programs that are not loaded \
            by default, don't count); 1 an object is refused, or can't be read; 64 wrong usage.
            """)

    @Argument(help: ArgumentHelp("Object files with BPF programs.", valueName: "object"), completion: .file())
    var paths: [String]

    @Option(
        name: .customLong("kernel"),
        help: ArgumentHelp(
            "A Linux release, such as 5.10; may be repeated. (default: the running kernel)", valueName: "version"))
    var kernels: [KernelRelease] = []

    @Option(
        name: .customLong("btf"),
        help: ArgumentHelp(
            "That kernel's types: its vmlinux, its /sys/kernel/btf/vmlinux, or a copy of /sys/kernel/btf.",
            valueName: "path"),
        completion: .file())
    var typesPath: String?

    @Option(
        name: .customLong("machine"),
        help: ArgumentHelp("x86-64 or aarch64; may be repeated. (default: both)", valueName: "name"))
    var machines: [TargetMachine] = []

    @Flag(help: "Treat optional programs (SEC(\"?...\")), which loaders skip by default, as loaded.")
    var optional = false

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        if typesPath != nil, Set(kernels.map(\.version)).count != 1 {
            throw ValidationError("--btf needs one --kernel, the release that these types are of")
        }
    }

    func run() throws {
        try reporting {
            let target = try target()
            let versions = target.releases.map(\.version)
            var report = BPFReport()
            report.notes = target.releases.compactMap(\.caution)
            for path in paths {
                do {
                    report.add(
                        try BPFObject(path: path), kernels: versions, types: target.types, machines: target.machines)
                } catch {
                    report.failures.append("\(error)")
                }
            }
            if json { try JSONText.print(report) } else { report.write(kernels: versions) }
            for failure in report.failures { Diagnostics.error(failure) }
            if report.hasRefusal(withOptional: optional) || !report.failures.isEmpty { throw ExitCode(1) }
        }
    }

    private typealias Target = (releases: [KernelRelease], types: KernelBTF?, machines: [TargetMachine])

    /// The kernels and machines to check for; by default, this machine.
    private func target() throws -> Target {
        let types = try typesPath.map { try KernelBTF(path: $0) }
        let chosen = machines.isEmpty ? TargetMachine.allCases : machines
        guard kernels.isEmpty else { return (kernels, types, chosen) }
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let machine = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard let running = KernelRelease(release) else {
            throw ValidationError(
                "the running kernel reports its release as \(release): specify a release with --kernel")
        }
        let own = TargetMachine(rawValue: machine == "x86_64" ? "x86-64" : machine)
        let isThere = access(KernelBTF.running + "/vmlinux", R_OK) == 0
        return (
            [running], isThere ? try KernelBTF(path: KernelBTF.running) : nil,
            machines.isEmpty ? own.map { [$0] } ?? chosen : machines
        )
    }
}

extension KernelRelease: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension TargetMachine: ExpressibleByArgument {}
