import UnwindTable

/// A table that the verifier has proved, with the memory that it is in.
///
/// @unchecked: immutable, and so are the bytes.
public final class ProvedTable: @unchecked Sendable {
    private let view: TableView
    private let owner: AnyObject

    /// - Parameters:
    ///   - view: of bytes that stay valid and unchanged as long as `owner` lives.
    ///   - owner: kept alive by this object.
    public init(_ view: TableView, in owner: AnyObject) {
        self.view = view
        self.owner = owner
    }

    /// Calls `body` with the table, which must not escape from it.
    public func withView<Value, Failure: Error>(_ body: (TableView) throws(Failure) -> Value) throws(Failure) -> Value {
        defer { withExtendedLifetime(owner) {} }
        return try body(view)
    }
}
