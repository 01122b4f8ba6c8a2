/// What the instructions of a function's beginning prove about its frame.
enum Prologue {
    /// The caller's frame pointer is 16 bytes below the CFA from an SVMA on, until the stack depth is 0 again, where it is in
    /// its register again.
    case savesFramePointer(from: UInt64)
    /// The return address is where the stack pointer points while the stack depth isn't 0, and in the link register else.
    case savesLink
    /// Nothing.
    case unknown
}
