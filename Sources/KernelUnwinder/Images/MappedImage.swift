import ELF
import Glibc
import UnwindTable

/// A file that is mapped executable somewhere, or the vDSO, and its table in the kernel. Processes that map the same
/// file share one.
public final class MappedImage {
    /// The path as a process that maps it sees it; `[vdso]`; or the name that the kernel has for the memory.
    public let name: String
    /// Nil if it can't be opened, or is not an ELF file: `problem` says why.
    public let image: ELFImage?
    /// Why it has no table, in words; nil if it has one.
    public internal(set) var problem: String?
    var table: KernelTable?
    /// Processes that map it.
    var users = 0
    /// Executable segments of the image.
    private let segments: [Segment]

    /// Whether its frames are unwound by rules.
    public var hasTable: Bool { table != nil }

    init(name: String, image: ELFImage?) {
        self.name = name
        self.image = image
        segments = image?.segments.filter { $0.isLoad && $0.isExecutable } ?? []
    }

    /// AVMA − SVMA of a mapping of it that starts at `offset` in the file; nil if no executable segment is there.
    func bias(of mapped: Range<UInt64>, at offset: UInt64) -> UInt64? {
        segments.bias(of: mapped, at: offset, pageSize: Self.pageSize)
    }

    private static let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))
}
