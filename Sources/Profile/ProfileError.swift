import Files
import Glibc
import KernelUnwinder

/// Why a recording can't be made, or can't go on.
public enum ProfileError: Error, Sendable, CustomStringConvertible {
    /// The kernel unwinder can't sample, or can't add a process.
    case unwinder(KernelError)
    /// The command with this first word can't be run.
    case command(String, errno: Int32)
    /// A system call failed; with a description of what it was for.
    case system(String, errno: Int32)

    public var description: String {
        switch self {
        case .unwinder(let error): error.description
        case .command(let what, let code), .system(let what, let code): "\(what): \(systemMessage(code))"
        }
    }
}

extension ProfileError {
    /// Runs `body` and wraps its error.
    static func ofUnwinder<Value>(_ body: () throws(KernelError) -> Value) throws(ProfileError) -> Value {
        do throws(KernelError) { return try body() } catch { throw .unwinder(error) }
    }
}
