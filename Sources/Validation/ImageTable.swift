import ELF
import TableCompiler
import TableStore
import TableSupply
import UnwindTable

/// An image's table, from the cache or made just now, and the call frame sections that it stands for.
struct ImageTable {
    enum Failure: Error, CustomStringConvertible {
        /// The table of the cache was made with a debug file that isn't found, or has changed.
        case debugFileGone(String)

        var description: String {
            switch self {
            case .debugFileGone(let name):
                "\(name): its cached table was compiled with a debug file that can't be found; try --no-cache"
            }
        }
    }

    /// Valid until the compiler's next use, if the compiler made it.
    private let table: ProvedTable
    let sources: FrameSources
    let isFromCache: Bool

    /// - Parameters:
    ///   - store: whose current table is taken; without one, or nil, the image is compiled.
    ///   - compiler: says with what options, and where debug files are.
    /// - Throws: `CompileError`, `.skipped` among them; `ELFError`; `UnprovedTable`; ``Failure``.
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
