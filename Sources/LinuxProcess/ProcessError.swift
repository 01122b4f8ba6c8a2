import Files
import Glibc

/// Why a process can't be read or watched.
public enum ProcessError: Error, Sendable, Equatable, CustomStringConvertible {
    case noSuchProcess(Int32)
    /// The id is that of a thread which is not its process's first.
    case isThread(Int32, of: Int32)
    /// A thread of the kernel has no stack of user code.
    case isOfKernel(Int32)
    /// A process that has ended, and that its parent has not waited for.
    case hasEnded(Int32)
    case cannotRead(Int32, errno: Int32)
    /// What happens to processes on a CPU can't be followed.
    case cannotWatch(cpu: Int32, errno: Int32)

    public var description: String {
        switch self {
        case .noSuchProcess(let process): "there is no process \(process)"
        case .isThread(let thread, let process): "\(thread) is a thread of process \(process): name the process"
        case .isOfKernel(let thread): "\(thread) is a kernel thread, which has no user code"
        case .hasEnded(let process): "process \(process) has ended and has no memory left (it is a zombie)"
        case .cannotRead(let process, let code):
            "process \(process) can't be read: \(systemMessage(code))"
                + (code == EACCES || code == EPERM ? advice : "")
        case .cannotWatch(let cpu, let code):
            "watching processes on CPU \(cpu): \(systemMessage(code))"
        }
    }

    private var advice: String {
        geteuid() == 0
            ? "; CAP_SYS_PTRACE is missing, or a security policy forbids it"
            : "; another user's process needs root or CAP_SYS_PTRACE"
    }
}
