import ELF
import TableCompiler
import TableStore
import UnwindTable

/// An image's table, from the cache or made just now, and the call frame sections that it stands for.
struct ImageTable {
    enum Failure: Error, CustomStringConvertible {
        /// The table of the cache was made with a debug file that isn't found, or has changed.
        case debugFileGone(String)
        /// A table that was made just now isn't proved by the verifier.
        case unproved(String, TableDefect)

        var description: String {
            switch self {
            case .debugFileGone(let name):
                "\(name): its cached table was compiled with a debug file that can't be found; try --no-cache"
            case .unproved(let name, let defect):
                "\(name): the table compiled from it does not verify (\(defect)); please report this"
            }
        }
    }

    /// Valid as long as `owner` lives and, where the compiler made it, isn't used again.
    let view: TableView
    let sources: FrameSources
    let isFromCache: Bool
    private let owner: AnyObject

    /// - Parameters:
    ///   - store: whose current table is taken; without one, or nil, the image is compiled.
    ///   - compiler: says with what options, and where debug files are.
    /// - Throws: `CompileError`, `.skipped` among them; `ELFError`; ``Failure``.
    init(of image: ELFImage, store: TableStore?, compiler: ImageCompiler) throws {
        try compiler.checkEligible(image)
        let input = compiler.input(image)
        let key = try store?.key(of: input) ?? input.contentKey()
        // What can't be proved is as good as absent.
        if let stored = try? store?.current(key: key, options: compiler.options),
            let view = try? TableVerifier.verify(stored.bytes)
        {
            (self.view, isFromCache, owner) = (view, true, stored)
        } else {
            let bytes = try compiler.compile(input, key: key).built.table
            do throws(TableDefect) { view = try TableVerifier.verify(bytes) } catch {
                throw Failure.unproved(image.name, error)
            }
            (isFromCache, owner) = (false, compiler)
        }
        let source = view.header.source
        sources = try input.frames()
        guard sources.debugSource == source.debugSource, sources.debugSize == source.debugSize else {
            throw Failure.debugFileGone(image.name)
        }
    }

    func withView<Value>(_ body: (TableView) throws -> Value) rethrows -> Value {
        try withExtendedLifetime(owner) { try body(view) }
    }
}
