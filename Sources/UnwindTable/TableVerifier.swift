import CUnwindTable

/// What is wrong with a table's bytes.
public struct TableDefect: Error, Equatable, Sendable, CustomStringConvertible {
    /// `header`, `ranges`, `directory`, `rules`, `expressions` or `pages`.
    public var section: String
    /// Offset in the file.
    public var offset: Int
    public var problem: String

    public var description: String { "\(section)+0x\(String(offset, radix: 16)): \(problem)" }
}

/// Proves every index, offset and bound of a table, so that lookups need no checks of their own.
public enum TableVerifier {
    /// - Returns: a view on `bytes`, valid as long as they are.
    public static func verify(_ bytes: UnsafeRawBufferPointer) throws(TableDefect) -> TableView {
        throw TableDefect(section: "header", offset: 0, problem: "")
    }
}
