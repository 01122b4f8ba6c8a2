import CallFrameInfo
import UnwindTable

/// Why no table could be made of an image.
public enum TableError: Error, Equatable, Sendable {
    /// A call frame section that can't be indexed.
    case section(CFIError)
    /// No FDE has bytes in an executable segment.
    case noFrames
    /// More pages or bytes than the format's 30-bit places hold.
    case tooLarge
}

/// Compiles call frame sections into a table. Keeps its memory from one image to the next.
public struct TableBuilder: ~Copyable {
    // Named here, and not by the caller, so that each architecture's builder is specialised in this module.
    private var x86_64 = ArchitectureBuilder<X86_64>()
    private var aarch64 = ArchitectureBuilder<AArch64>()

    /// What building a table gave.
    public struct Result {
        /// The table; valid until the builder's next use.
        public var table: UnsafeRawBufferPointer
        /// What the compiler saw; the table's header holds the same.
        public var counts: TableCounts
        /// Malformed FDEs, by section and offset.
        public var badFrames: [BadFrame]
        /// Entries whose range could not even be read: the first 64 of a section.
        public var malformed: [FrameIndex.MalformedEntry]
    }

    public init() {}

    /// Compiles `sections`, in order of precedence.
    ///
    /// - Parameters:
    ///   - entry: where the outermost frame is, whatever the sections say.
    ///   - executable: SVMA ranges of the file-backed bytes of executable segments, sorted and disjoint.
    ///   - executableBytes: executable bytes for the statistics.
    ///   - threads: how many may work; the output does not depend on it.
    public mutating func build(
        _ sections: [FrameSection], entry: EntryPoint? = nil, executable: [Range<UInt64>], executableBytes: UInt64,
        source: TableSource, options: TableOptions = TableOptions(), threads: Int = 1
    ) throws(TableError) -> Result {
        switch source.machine {
        case .x86_64:
            try x86_64.build(
                sections, entry: entry, executable: executable, executableBytes: executableBytes, source: source,
                options: options, threads: threads)
            return Result(x86_64)
        case .aarch64:
            try aarch64.build(
                sections, entry: entry, executable: executable, executableBytes: executableBytes, source: source,
                options: options, threads: threads)
            return Result(aarch64)
        }
    }
}

extension TableBuilder.Result {
    fileprivate init<A: Architecture>(_ builder: borrowing ArchitectureBuilder<A>) {
        table = UnsafeRawBufferPointer(builder.output.elements)
        counts = builder.counts
        badFrames = builder.badFrames
        malformed = builder.malformed
    }
}
