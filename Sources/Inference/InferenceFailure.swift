/// Why a function gets no rules. Nothing is guessed: one instruction that doesn't fit, and what was found elsewhere in
/// the function isn't trusted either.
public enum InferenceFailure: String, Error, Equatable, Sendable, CaseIterable {
    /// The bytes of the function aren't in the file.
    case noBytes
    /// The function has more bytes than `FunctionAnalysis.sizeLimit`.
    case tooLarge
    /// The analysis took more steps than `FunctionAnalysis.stepLimit` allows for the function's size.
    case tooManySteps
    /// Bytes that are reached are no instruction.
    case undecodable
    /// A return with the stack, the frame pointer or the return address not as at the entry.
    case unbalancedReturn
    /// A jump to another function with the stack, the frame pointer or the return address not as at the entry.
    case unbalancedJump
    /// A jump whose targets aren't known, and which isn't a tail call.
    case unresolvedJump
    /// The last instruction reached doesn't end the function, nor is it a call.
    case runsOut
    /// It ends a signal handler: its frame is the kernel's.
    case signalReturn
    /// It starts a thread, which continues in it on another stack.
    case newStack
    /// Nothing leads to the CFA any more, or the return address isn't where it was.
    case lostFrame

    public var description: String {
        switch self {
        case .noBytes: "no bytes in the file"
        case .tooLarge: "function too large"
        case .tooManySteps: "too many steps"
        case .undecodable: "undecodable instruction"
        case .unbalancedReturn: "unbalanced return"
        case .unbalancedJump: "unbalanced jump to another function"
        case .unresolvedJump: "unresolved indirect jump"
        case .runsOut: "runs out of the function"
        case .signalReturn: "returns from a signal handler"
        case .newStack: "continues on another stack"
        case .lostFrame: "CFA lost"
        }
    }
}
