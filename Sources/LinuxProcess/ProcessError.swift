import Files
import Glibc

/// Why a process can't be read or watched.
public enum ProcessError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no process with this id.
    case noSuchProcess(Int32)
    /// The id belongs to a thread that isn't its process's first.
    case isThread(Int32, of: Int32)
    /// The id belongs to a kernel thread, which has no user stack.
    case isOfKernel(Int32)
    /// The process has ended, and its parent has not waited for it.
    case hasEnded(Int32)
    /// A file in the process's /proc directory can't be read.
    case cannotRead(Int32, errno: Int32)
    /// The events of processes on a CPU can't be read.
    case cannotWatch(cpu: Int32, errno: Int32)
    /// This user may not lock as much memory as the events of processes on each CPU take, in bytes.
    case tooLittleLockedMemory(bytes: Int)
    /// The file that would name the process's generated code isn't a regular file, or belongs neither to the process's user
    /// nor to root.
    case untrustedNames(Int32, String)

    public var description: String {
        switch self {
        case .noSuchProcess(let process): "there is no process \(process)"
        case .isThread(let thread, let process): "\(thread) is a thread of process \(process): specify \(process)"
        case .isOfKernel(let thread): "\(thread) is a kernel thread, which has no user code"
        case .hasEnded(let process): "process \(process) has ended and has no memory left (it is a zombie)"
        case .cannotRead(let process, let code):
            "process \(process) can't be read: \(systemMessage(code))"
                + (code == EACCES || code == EPERM ? advice : "")
        case .cannotWatch(let cpu, let code):
            "watching processes on CPU \(cpu): \(systemMessage(code))"
        case .tooLittleLockedMemory(let bytes):
            "this user may not lock the \(bytes >> 10) KiB of memory on each CPU that the events of processes take, besides "
                + "what is locked already: raise kernel.perf_event_mlock_kb or the limit on locked memory (ulimit -l), or "
                + "grant CAP_IPC_LOCK"
        case .untrustedNames(let process, let path):
            "process \(process): \(path.readable) is ignored: it is not a regular file of the process's user or of root"
        }
    }

    private var advice: String {
        geteuid() == 0
            ? "; CAP_SYS_PTRACE is missing, or a security policy forbids it"
            : "; another user's process needs root or CAP_SYS_PTRACE"
    }
}
