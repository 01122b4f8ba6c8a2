/// A defect of a `.gopclntab` section.
public struct GoTableError: Error, Equatable, CustomStringConvertible {
    /// In bytes, from the start of the section.
    public var offset: Int
    /// What is wrong.
    public var problem: String

    public var description: String { "+0x\(String(offset, radix: 16)): \(problem)" }
}
