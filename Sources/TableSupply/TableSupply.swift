import ELF
import UnwindTable

/// Supplies the tables of ELF images: from a store, by compiling them, or in any other way.
///
/// The kernel unwinder loads what it is supplied with. It doesn't know where tables come from.
public protocol TableSupply: Sendable {
    /// How many requests may be made at the same time, each on its own thread.
    var threads: Int { get }

    /// Finds an image's key, and its table if it exists. Makes no table. Any thread may call it.
    func request(_ image: ELFImage) -> any TableRequest

    /// Finishes the requests of one process, for example by storing the tables that were made.
    ///
    /// - Returns: problems that didn't prevent any request from being answered, in words.
    func finish() -> [String]

    /// How requests have been answered so far; nil if the supply doesn't count them. Any thread may call it.
    var answers: SupplyAnswers? { get }
}

extension TableSupply {
    public var answers: SupplyAnswers? { nil }
}

/// How a supply has answered requests.
public struct SupplyAnswers: Sendable, Equatable {
    /// Requests whose table existed.
    public var found = 0
    /// Requests whose table was made.
    public var made = 0
    /// Requests for images that get no table.
    public var refused = 0

    /// None yet.
    public init() {}
}

/// One image's table, which is found or made when it is needed.
///
/// Made by one thread and then used by another: implementations need no locks of their own for that.
public protocol TableRequest: AnyObject, Sendable {
    /// The image that the table is for.
    var image: ELFImage { get }

    /// What the table is stored and shared under, or why the image gets none.
    var key: Result<TableSource.Key, any Error> { get }

    /// Whether the table exists, so that ``withTable(_:)`` needn't make it.
    var isFound: Bool { get }

    /// The key of the same content on any machine, which ``key`` is not for a file that others can write. Reads all call
    /// frame information.
    func contentKey() throws -> TableSource.Key

    /// Calls `body` with the proved table, which must not escape from it. Makes the table if it doesn't exist.
    ///
    /// - Throws: why there is no table, or what `body` throws.
    func withTable<Value>(_ body: (TableView) throws -> Value) throws -> Value
}
