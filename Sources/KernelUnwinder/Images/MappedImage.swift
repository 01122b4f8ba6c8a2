import ELF
import Glibc
import UnwindTable

/// A mapped executable file, or the vDSO, with its table in the kernel. Shared by all processes that map the file.
public final class MappedImage {
    /// The path in the file system of a process that maps it, or `[vdso]`, or another name by the kernel.
    public let name: String
    /// Nil if the file can't be opened or isn't an ELF file; `problem` states why.
    public let image: ELFImage?
    /// Why it has no table; nil if it has one.
    public internal(set) var problem: String?
    /// Whether the problem is only that the process ended before its file was opened.
    public internal(set) var isGone = false
    var table: KernelTable?
    /// The number of its request in the queue; nil if its table isn't being made.
    var pendingNumber: UInt32?
    /// A `struct cfic_loaded_range` without a table, which counts how many walks ended here for want of one. Mappings that
    /// were published while it was being made lead to it. Nil if there was no memory for it.
    var needSpan: Span?
    /// How many walks ended for want of its table, as the queue was told; nil if a sampled process didn't need it yet.
    var toldNeed: UInt32?
    /// The number of processes that map it.
    var users = 0
    /// Whether a process maps it that was read, or its child may.
    package var isMapped: Bool { users > 0 }
    /// The image's executable segments.
    private let segments: [Segment]

    /// Whether it has a table, by whose rules its frames are unwound. It may be evicted from the kernel at times.
    public var hasTable: Bool { table != nil }

    /// Whether its table is still being made.
    public var isPending: Bool { pendingNumber != nil }

    init(name: String, image: ELFImage?) {
        self.name = name
        self.image = image
        segments = image?.segments.filter { $0.isLoad && $0.isExecutable } ?? []
    }

    /// Another image of the same file, only to be read, for another thread.
    package func another() -> MappedImage { MappedImage(name: name, image: try? image?.another()) }

    /// The bias (AVMA − SVMA) of a mapping that starts at `offset` in the file; nil if no executable segment fits.
    func bias(of mapped: Range<UInt64>, at offset: UInt64) -> UInt64? {
        segments.bias(of: mapped, at: offset, pageSize: Self.pageSize)
    }

    private static let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))
}
