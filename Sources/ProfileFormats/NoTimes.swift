/// The format shows when samples were taken, and the profile doesn't say it.
public struct NoTimes: Error, Equatable, CustomStringConvertible {
    /// In words.
    public var description: String { "this format shows when samples were taken, and the profile doesn't tell" }
}
