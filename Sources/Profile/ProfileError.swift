import Glibc
import KernelUnwinder

/// Why nothing, or nothing more, can be recorded.
public enum ProfileError: Error, Sendable, CustomStringConvertible {
    /// The kernel unwinder can't sample, or can't take a process.
    case unwinder(KernelError)
    /// A command, by its first word, can't be run.
    case command(String, errno: Int32)
    case system(String, errno: Int32)

    public var description: String {
        switch self {
        case .unwinder(let error): error.description
        case .command(let what, let code), .system(let what, let code): "\(what): \(String(cString: strerror(code)))"
        }
    }
}

extension ProfileError {
    /// What `body` returns, or its error as one of profiling.
    static func ofUnwinder<Value>(_ body: () throws(KernelError) -> Value) throws(ProfileError) -> Value {
        do throws(KernelError) { return try body() } catch { throw .unwinder(error) }
    }
}
