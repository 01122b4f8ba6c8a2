import Files
import Glibc
import LinuxProcess

/// Why the kernel unwinder can't be opened, or can't use a table or a process.
public enum KernelError: Error, Sendable, CustomStringConvertible {
    /// The release is older than 5.10.
    case kernelTooOld(release: String)
    /// There are BPF programs only for x86-64 and aarch64.
    case unsupportedMachine(String)
    /// The kernel doesn't provide its types: it was built without CONFIG_DEBUG_INFO_BTF.
    case noTypeInformation
    /// The caller may not load BPF programs. The text states what is missing and what to do.
    case notPermitted(String)
    /// The verifier, or another part of the kernel, rejected a BPF program. `log` is the end of the verifier's log.
    case rejected(program: String, errno: Int32, log: String)
    /// The machine does not have an event, or can't sample by it.
    case noSuchEvent(SamplingEvent)
    /// A system call failed; says what was being done.
    case system(String, errno: Int32)
    /// This process may open too few files at once; `needed` is the least.
    case tooFewOpenFiles(limit: Int, needed: Int)
    /// This process sees other process ids than the kernel does.
    case otherPIDNamespace
    /// The table is for another machine.
    case otherMachine(String)
    /// A process can't be read or watched.
    case process(ProcessError)
    /// More processes than ``KernelUnwinder/Options/processLimit``.
    case tooManyProcesses(limit: Int)
    /// All of the table memory that the BPF programs can address is in use.
    case tableMemoryFull(bytes: Int)
    /// The path is not that of a cgroup of version 2.
    case cgroup(String, errno: Int32)
    /// The tables would exceed ``KernelUnwinder/Options/tableBudget``.
    case overBudget(bytes: Int)

    public var description: String {
        switch self {
        case .kernelTooOld(let release):
            "Linux \(release) is too old: the programs need 5.10 or newer"
        case .unsupportedMachine(let name):
            "machine \(name) is not supported; x86-64 and aarch64 are"
        case .noTypeInformation:
            "this kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built with CONFIG_DEBUG_INFO_BTF=y"
        case .notPermitted(let what): what
        case .noSuchEvent(let event):
            event.kind == .hardware
                ? "this machine has no hardware counter for \(event.name), like most virtual machines: use cpu-clock"
                : "this kernel has no event \(event.name)"
        case .rejected(let program, let code, let log):
            "the kernel rejected the BPF program \(program): \(systemMessage(code))" + (log.isEmpty ? "" : "\n\(log)")
        case .tooFewOpenFiles(let limit, let needed):
            "\(limit) open files are too few, \(needed) or more are needed: raise the limit (ulimit -n)"
        case .system(let what, EMFILE):
            "\(what): \(systemMessage(EMFILE)): raise the limit on open files (ulimit -n)"
        case .system(let what, let code): "\(what): \(systemMessage(code))"
        case .otherPIDNamespace:
            "this is not the initial pid namespace, so the kernel knows processes by other ids: run cfic outside "
                + "the container, or with the host's pid namespace"
        case .otherMachine(let name): "the table is for \(name), not for this machine"
        case .process(let error): error.description
        case .tooManyProcesses(let limit): "more than \(limit) processes at once"
        case .tableMemoryFull(let bytes): "all \(bytes >> 20) MiB of table memory are in use"
        case .cgroup(let path, EBADF): "\(path) is not the directory of a cgroup of version 2"
        case .cgroup(let path, let code): "the cgroup \(path): \(systemMessage(code))"
        case .overBudget(let bytes): "tables need more than their limit of \(bytes >> 20) MiB of kernel memory"
        }
    }
}

extension KernelError {
    /// Calls `body` and converts its errors.
    static func ofProcess<Value>(_ body: () throws(ProcessError) -> Value) throws(KernelError) -> Value {
        do throws(ProcessError) { return try body() } catch { throw .process(error) }
    }
}
