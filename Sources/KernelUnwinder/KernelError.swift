import Glibc

/// Why the kernel unwinder can't be opened, or can't take a table or a process.
public enum KernelError: Error, Sendable, CustomStringConvertible {
    /// Older than 5.10.
    case kernelTooOld(release: String)
    /// The programs exist for x86-64 and aarch64.
    case unsupportedMachine(String)
    /// The kernel says nothing about its own types: it was built without CONFIG_DEBUG_INFO_BTF.
    case noTypeInformation
    /// The caller may not load programs; with what is missing, and what to do.
    case notPermitted(String)
    /// The verifier, or the kernel otherwise, did not take the programs; with the end of what it said.
    case rejected(program: String, errno: Int32, log: String)
    case system(String, errno: Int32)
    /// Process ids of the kernel are not ours.
    case otherPIDNamespace
    /// The table is for another machine than this one.
    case otherMachine(String)
    case noSuchProcess(Int32)
    /// The id is that of a thread which is not its process's first.
    case isThread(Int32, of: Int32)
    /// A thread of the kernel has no stack of user code.
    case isOfKernel(Int32)
    /// A process that has ended, and that its parent has not waited for.
    case hasEnded(Int32)
    case tooManyProcesses(limit: Int)
    case cannotReadProcess(Int32, errno: Int32)
    /// All places of table memory are in use.
    case tableMemoryFull(bytes: Int)
    /// The maps of tables may not grow further.
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
        case .rejected(let program, let code, let log):
            "the kernel refused the program \(program): \(message(code))" + (log.isEmpty ? "" : "\n\(log)")
        case .system(let what, let code): "\(what): \(message(code))"
        case .otherPIDNamespace:
            "this is not the initial pid namespace, so the kernel knows processes by other ids: run cfic outside "
                + "the container, or with the host's pid namespace"
        case .otherMachine(let name): "the table is for \(name), not for this machine"
        case .noSuchProcess(let process): "there is no process \(process)"
        case .isThread(let thread, let process): "\(thread) is a thread of process \(process): name the process"
        case .isOfKernel(let thread): "\(thread) is a kernel thread, which has no user code"
        case .hasEnded(let process): "process \(process) has ended and has no memory left (it is a zombie)"
        case .tooManyProcesses(let limit): "more than \(limit) processes at once"
        case .cannotReadProcess(let process, let code):
            "process \(process) can't be read: \(message(code))"
                + (code == EACCES || code == EPERM ? advice : "")
        case .tableMemoryFull(let bytes): "all \(bytes >> 20) MiB of table memory are in use"
        case .overBudget(let bytes): "tables need more than their limit of \(bytes >> 20) MiB of kernel memory"
        }
    }

    private var advice: String {
        geteuid() == 0
            ? "; CAP_SYS_PTRACE is missing, or a security policy forbids it"
            : "; another user's process needs root or CAP_SYS_PTRACE"
    }

    private func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}
