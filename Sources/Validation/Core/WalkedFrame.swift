import Files

/// A frame of a walk: the innermost one or a caller.
public struct WalkedFrame: Hashable, Sendable {
    /// AVMA: the interrupted instruction if `isExact`, else the return address of the frame's call.
    public var pc: UInt64
    public var stackPointer: UInt64
    /// Nil if it isn't known.
    public var framePointer: UInt64?
    /// Whether `pc` is the instruction at which the frame stopped: it is the innermost frame, or a signal interrupted
    /// it.
    public var isExact: Bool

    /// The address for the lookup of the row. A call may be its function's last instruction, so that its return address
    /// belongs to the next function.
    var lookupPC: UInt64 { isExact ? pc : pc &- 1 }
}

extension WalkedFrame: CustomStringConvertible {
    public var description: String {
        func hex(_ number: UInt64?) -> String { number?.hex ?? "unknown" }
        return "pc \(hex(pc)), stack pointer \(hex(stackPointer)), frame pointer \(hex(framePointer))"
            + (isExact ? ", exact" : "")
    }
}
