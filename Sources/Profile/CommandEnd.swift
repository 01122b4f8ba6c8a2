/// How a command ended by itself.
public enum CommandEnd: Equatable, Sendable {
    case exited(code: Int32)
    case killed(signal: Int32)

    /// - Parameter waitStatus: as waitpid(2) gives it, of a process that has ended.
    public init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited(code: waitStatus >> 8 & 0xff) : .killed(signal: signal)
    }

    /// The exit code that a shell has for it: 128 and the number of a signal.
    public var exitCode: Int32 {
        switch self {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }

    /// In words; nil if all went well.
    public var problem: String? {
        switch self {
        case .exited(0): nil
        case .exited(let code): "the command ended with exit code \(code)"
        case .killed(let signal): "the command was ended by signal \(signal)"
        }
    }
}
