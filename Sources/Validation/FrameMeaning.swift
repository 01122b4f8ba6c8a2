import Files
import UnwindTable

/// The meaning of a rule or a row: what it computes for a frame.
public enum FrameMeaning: Hashable, Sendable {
    /// The caller's frame, as computed.
    public struct Caller: Hashable, Sendable {
        public var cfa: UInt64
        public var stackPointer: UInt64
        /// Nil if it can't be recovered.
        public var framePointer: UInt64?
        public var returnAddress: UInt64
        public var isSignalFrame: Bool
    }

    /// No FDE covers the address.
    case nothing
    /// The outermost frame.
    case endOfStack
    case caller(Caller)
    /// There is no answer. For a table, a reason or how the step ended; for the reference, what it failed to evaluate.
    case unsaid(String)
}

extension FrameMeaning: CustomStringConvertible {
    public var description: String {
        switch self {
        case .nothing: "no row"
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
