import Files
import UnwindTable

/// What a rule, or a row, says of a frame.
public enum FrameMeaning: Hashable, Sendable {
    /// Where the caller's frame is, and what it has.
    public struct Caller: Hashable, Sendable {
        public var cfa: UInt64
        public var stackPointer: UInt64
        /// Nil where it can't be recovered.
        public var framePointer: UInt64?
        public var returnAddress: UInt64
        public var isSignalFrame: Bool
    }

    /// No FDE is there.
    case nothing
    /// The outermost frame.
    case endOfStack
    case caller(Caller)
    /// It can't say: for a table, a reason or how the step ended; for the reference, its error.
    case unsaid(String)
}

extension FrameMeaning: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nothing: "nothing known"
        case .endOfStack: "end of stack"
        case .unsaid(let why): "no answer (\(why))"
        case .caller(let caller): "\(caller)"
        }
    }
}

extension FrameMeaning.Caller: CustomStringConvertible {
    public var description: String {
        func hex(_ number: UInt64?) -> String { number?.hex ?? "undefined" }
        return "CFA \(hex(cfa))" + (stackPointer == cfa ? "" : ", stack pointer \(hex(stackPointer))")
            + ", frame pointer \(hex(framePointer)), return address \(hex(returnAddress))"
            + (isSignalFrame ? ", signal frame" : "")
    }
}
