/// How a command ended.
public enum CommandEnd: Equatable, Sendable {
    /// It ended with an exit code.
    case exited(code: Int32)
    /// A signal ended it.
    case killed(signal: Int32)

    /// - Parameter waitStatus: of a process that has ended, from waitpid(2).
    public init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited(code: waitStatus >> 8 & 0xff) : .killed(signal: signal)
    }

    /// The exit code as in a shell: 128 plus the number for a signal.
    public var exitCode: Int32 {
        switch self {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }

    /// The problem in words; nil for exit code 0.
    public var problem: String? {
        switch self {
        case .exited(0): nil
        case .exited(let code): "the command ended with exit code \(code)"
        case .killed(let signal): "the command was killed by signal \(signal)"
        }
    }
}
