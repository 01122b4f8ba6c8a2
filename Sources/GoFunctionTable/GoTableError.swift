/// A defect of a `.gopclntab` section.
public struct GoTableError: Error, Equatable {
    /// In bytes, from the start of the section.
    public var offset: Int
    /// What is wrong.
    public var problem: String
}
