/// A frame's registers and memory, on which rules and location descriptions are evaluated: generated (`Snapshot`), or
/// those of a thread in a core dump.
public protocol FrameContext {
    var pc: UInt64 { get }

    /// The value of a register, by its DWARF number; nil if it isn't known.
    func register(_ number: UInt64) -> UInt64?

    /// The value of `size` bytes, 1 to 8, at an address: little-endian, zero-extended; nil if they can't be read.
    func number(at address: UInt64, size: Int) -> UInt64?
}
