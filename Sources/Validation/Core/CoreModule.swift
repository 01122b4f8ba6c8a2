import CUnwindTable
import ELF
import Glibc
import TableCompiler
import TableStore
import UnwindTable

/// A file, or the vDSO, that was mapped when a core was dumped.
final class CoreModule {
    let image: ELFImage
    /// AVMA − SVMA.
    let bias: UInt64
    /// AVMAs of its segments, by whole pages: the first byte, and behind the last one.
    let range: Range<UInt64>
    /// Nil if it has none.
    let table: ImageTable?
    /// What C walks with; valid as long as this object.
    let native: UnsafeMutablePointer<cfic_native_table>?
    /// The bytes of an image in memory, for libdwfl; nil of a file.
    let memory: UnsafeMutableBufferPointer<CChar>?
    private lazy var reference = table.flatMap { try? ReferenceImage(of: image, $0.sources) }

    private static let pageSize: UInt64 = 4096

    /// - Parameters:
    ///   - mapped: AVMAs of a mapping whose first byte is the image's at `fileOffset`.
    ///   - store: see `ImageTable`.
    /// - Throws: what `ImageTable` throws, but for images that have no table by their nature. Nil if the image has no
    ///   segment there.
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
        // Nothing throws any more: what is allocated here is deallocated in the end.
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

    /// libdw's row at an AVMA; nil where it has none.
    func referenceFrame(at address: UInt64) -> ReferenceFrame? { reference?.frame(at: address &- bias) }

    /// Whether the function of the image's entry point is at an AVMA.
    func isEntryPoint(at address: UInt64) -> Bool {
        guard let table, let entry = table.sources.entry else { return false }
        return table.withView { entry.isFunction(at: address &- bias, of: $0) }
    }

    /// The table's rule at an AVMA, in words.
    func ruleText(at address: UInt64) -> String {
        table.map { table in table.withView { $0.describe($0.ruleNumber(at: address &- bias)) } } ?? "no table"
    }
}
