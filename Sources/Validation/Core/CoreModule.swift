import CUnwindTable
import ELF
import Glibc
import TableCompiler
import TableStore
import UnwindTable

/// A file, or the vDSO, that was mapped when the core was dumped.
final class CoreModule {
    let image: ELFImage
    /// Bias, AVMA − SVMA.
    let bias: UInt64
    /// AVMAs of its segments, rounded to whole memory pages.
    let range: Range<UInt64>
    /// Nil if the image has no table.
    let table: ImageTable?
    /// The table for the C walk; valid as long as this object exists.
    let native: UnsafeMutablePointer<cfic_native_table>?
    /// The bytes of an image in memory, for libdwfl; nil for a file.
    let memory: UnsafeMutableBufferPointer<CChar>?
    private lazy var reference = table.flatMap { try? ReferenceImage(of: image, $0.sources) }

    private static let pageSize: UInt64 = 4096

    /// Creates a module; nil if no segment of the image fits the mapping.
    ///
    /// - Parameters:
    ///   - mapped: AVMAs of a mapping whose first byte is the image's byte at `fileOffset`.
    ///   - store: see `ImageTable`.
    /// - Throws: the errors of `ImageTable`, except for images that can't have a table.
    init?(
        _ image: ELFImage, at mapped: Range<UInt64>, fileOffset: UInt64, store: TableStore?,
        debugFiles: DebugFileSearch?
    ) throws {
        let loads = image.segments.filter(\.isLoad)
        let page = ~(Self.pageSize - 1)
        guard let bias = loads.bias(of: mapped, at: fileOffset, pageSize: Self.pageSize),
            let first = loads.map({ $0.virtualAddress & page }).min(),
            let last = loads.map({ $0.virtualAddress &+ $0.memorySize }).max()
        else { return nil }
        self.bias = bias
        let end = (last &+ bias &+ Self.pageSize &- 1) & page
        guard first &+ bias < end else { return nil }
        range = first &+ bias..<end
        self.image = image
        do {
            table = try ImageTable(of: image, store: store, compiler: ImageCompiler(debugFiles: debugFiles))
        } catch let error as CompileError {
            guard case .skipped = error else { throw error }
            table = nil
        }
        // Nothing below throws, so `deinit` frees what is allocated here.
        memory = image.memoryBytes?.copiedForLibelf
        native = table.map { table in
            let pointer = UnsafeMutablePointer<cfic_native_table>.allocate(capacity: 1)
            pointer.initialize(to: table.withView { $0.native })
            return pointer
        }
    }

    deinit {
        native?.deallocate()
        memory?.deallocate()
    }

    /// libdw's row at an AVMA; nil if it has none.
    func referenceFrame(at address: UInt64) -> ReferenceFrame? { reference?.frame(at: address &- bias) }

    /// Whether an AVMA is in the function at the image's entry point.
    func isEntryPoint(at address: UInt64) -> Bool {
        guard let table, let entry = table.sources.entry else { return false }
        return table.withView { entry.isFunction(at: address &- bias, of: $0) }
    }

    /// The table's rule at an AVMA, as text.
    func ruleText(at address: UInt64) -> String {
        table.map { table in table.withView { $0.describe($0.ruleNumber(at: address &- bias)) } } ?? "no table"
    }
}
