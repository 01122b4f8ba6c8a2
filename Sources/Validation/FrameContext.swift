/// The registers and the memory of a frame, on which rules and location descriptions are evaluated: made up
/// (`Snapshot`), or those of a thread.
public protocol FrameContext {
    var pc: UInt64 { get }

    /// The content of a register by its DWARF number; nil if it isn't known.
    func register(_ number: UInt64) -> UInt64?

    /// `size` bytes, 1 to 8, at an address: little-endian, zero-extended; nil if they can't be read.
    func number(at address: UInt64, size: Int) -> UInt64?
}
