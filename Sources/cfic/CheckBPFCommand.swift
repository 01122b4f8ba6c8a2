import ArgumentParser
import BPFCheck
import Glibc

struct CheckBPFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-bpf",
        abstract: "Report what a kernel would reject in a BPF object, without loading it.",
        discussion: """
            Reads the instructions, types (BTF) and line information of objects as clang makes them and libbpf 1 loads \
            them: global functions that take pointers, atomic and other new instructions, helpers and who may call \
            them, the licence, kernel functions, kinds of programs, maps and their definitions, stack and call depth. \
            A branch that libbpf closes (bpf_core_enum_value_exists, LINUX_KERNEL_VERSION, constants of .rodata) is \
            taken as closed.

            Without --kernel it is the running kernel, with the types that it says to have. --btf takes another \
            kernel's types, its /sys/kernel/btf/vmlinux, or a copy of /sys/kernel/btf with modules: then attach \
            targets, CO-RE relocations and kernel functions are checked against them, and helpers, kinds of maps and \
            of programs are those of the types, whatever the release.

            What is known of releases reaches from Linux \(KernelVersion.known.lowerBound) to \
            \(KernelVersion.known.upperBound). No finding doesn't mean that the verifier agrees: it checks every \
            access, which this doesn't.

            Examples:
              cfic check-bpf profiler.bpf.o --kernel 5.10
              cfic check-bpf *.bpf.o --kernel 5.10 --kernel 6.1 --machine aarch64
              cfic check-bpf profiler.bpf.o --kernel 4.18.0-553.el8 --btf el8.vmlinux.btf
              cfic check-bpf --json profiler.bpf.o --kernel 5.10 | jq '.findings[].problem'

            Exit codes: 0 nothing that makes an object be refused (findings with "only if", or in programs that are \
            not loaded by default, don't); 1 an object is refused, or can't be read; 64 wrong usage.
            """)

    @Argument(help: ArgumentHelp("Object files with BPF programs.", valueName: "object"), completion: .file())
    var paths: [String]

    @Option(
        name: .customLong("kernel"),
        help: ArgumentHelp(
            "A release of Linux, 5.10; may be repeated. (default: the running kernel)", valueName: "version"))
    var kernels: [KernelRelease] = []

    @Option(
        name: .customLong("btf"),
        help: ArgumentHelp(
            "The types of that kernel: its vmlinux or /sys/kernel/btf/vmlinux, or all of /sys/kernel/btf.",
            valueName: "path"),
        completion: .file())
    var typesPath: String?

    @Option(
        name: .customLong("machine"),
        help: ArgumentHelp("x86-64 or aarch64; may be repeated. (default: both)", valueName: "name"))
    var machines: [TargetMachine] = []

    @Flag(help: "Count optional programs (SEC(\"?...\")), which loaders leave out by default, as loaded.")
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
            if json { try JSONOutput.print(report) } else { report.write(kernels: versions) }
            for failure in report.failures { Talk.error(failure) }
            if report.hasRefusal(withOptional: optional) || !report.failures.isEmpty { throw ExitCode(1) }
        }
    }

    private typealias Target = (releases: [KernelRelease], types: KernelBTF?, machines: [TargetMachine])

    /// What objects are looked at for: by default this machine, as it is.
    private func target() throws -> Target {
        let types = try typesPath.map { try KernelBTF(path: $0) }
        let chosen = machines.isEmpty ? TargetMachine.allCases : machines
        guard kernels.isEmpty else { return (kernels, types, chosen) }
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let machine = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard let running = KernelRelease(release) else {
            throw ValidationError("the running kernel calls itself \(release): --kernel is needed")
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
