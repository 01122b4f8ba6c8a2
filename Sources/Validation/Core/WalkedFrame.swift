import Files

/// A frame of a walk, the innermost one or a caller.
public struct WalkedFrame: Hashable, Sendable {
    /// AVMA: where it stands, or where it will go on when the frame it called returns.
    public var pc: UInt64
    public var stackPointer: UInt64
    /// Nil where it isn't known.
    public var framePointer: UInt64?
    /// Whether `pc` is where the frame stands: it is the innermost one, or a signal interrupted it.
    public var isExact: Bool

    /// Where the row is looked up: a call may be its function's last instruction, with another one behind it.
    var lookupPC: UInt64 { isExact ? pc : pc &- 1 }
}

extension WalkedFrame: CustomStringConvertible {
    public var description: String {
        func hex(_ number: UInt64?) -> String { number?.hex ?? "unknown" }
        return "pc \(hex(pc)), stack pointer \(hex(stackPointer)), frame pointer \(hex(framePointer))"
            + (isExact ? ", exact" : "")
    }
}
