import ELF
import TableCompiler
import TableStore
import TableSupply
import UnwindTable

/// An image's table, from the cache or newly compiled, and the call frame sections that it was made from.
struct ImageTable {
    enum Failure: Error, CustomStringConvertible {
        /// The cached table was compiled with a debug file that can't be found or has changed.
        case debugFileGone(String)

        var description: String {
            switch self {
            case .debugFileGone(let name):
                "\(name): its cached table was compiled with a debug file that can't be found; try --no-cache"
            }
        }
    }

    /// If the compiler made it, valid until the compiler is used again.
    private let table: ProvedTable
    let sources: FrameSources
    let isFromCache: Bool

    /// - Parameters:
    ///   - store: its current table is used; if there is none, or no store, the image is compiled.
    ///   - compiler: provides the options and the search for debug files.
    /// - Throws: `CompileError`, including `.skipped`; `ELFError`; `UnprovedTable`; ``Failure``.
    init(of image: ELFImage, store: TableStore?, compiler: ImageCompiler) throws {
        try ImageCompiler.checkEligible(image)
        let search = TableSearch(compiler.input(image), in: store, options: compiler.options)
        table = try search.stored ?? search.make(by: compiler)
        isFromCache = search.stored != nil
        sources = try search.input.frames()
        let source = table.withView { $0.header.source }
        guard sources.debugSource == source.debugSource, sources.debugSize == source.debugSize else {
            throw Failure.debugFileGone(image.name)
        }
    }

    func withView<Value>(_ body: (TableView) throws -> Value) rethrows -> Value { try table.withView(body) }
}
