import CallFrameInfo
import UnwindTable

/// Why an image has no table.
public enum TableError: Error, Equatable, Sendable {
    /// A call frame section that can't be indexed.
    case section(CFIError)
    /// No FDE covers bytes of an executable segment.
    case noFrames
    /// More pages or records than the format's directory can address.
    case tooLarge
}

/// Compiles call frame sections into a table. Keeps its memory from one image to the next.
public struct TableBuilder: ~Copyable {
    // Concrete types, and no generic parameter, so that each architecture's builder is specialised in this module.
    private var x86_64 = ArchitectureBuilder<X86_64>()
    private var aarch64 = ArchitectureBuilder<AArch64>()

    /// A table, and what was found while building it.
    public struct Result {
        /// The table; valid until the builder's next use.
        public var table: UnsafeRawBufferPointer
        /// Statistics, as in the table's header.
        public var counts: TableCounts
        /// Malformed FDEs, in the order of section and offset.
        public var badFrames: [BadFrame]
        /// Entries whose range couldn't be read; the first 64.
        public var malformed: [FrameIndex.MalformedEntry]
    }

    public init() {}

    /// Compiles `sections`, in order of precedence.
    ///
    /// - Parameters:
    ///   - sources: what the sections are, with as many elements; empty if their kinds tell.
    ///   - entry: the entry point, whose frame is made outermost even if the sections have rules for it.
    ///   - executable: SVMA ranges of the file-backed bytes of executable segments, sorted and disjoint.
    ///   - executableBytes: the number of executable bytes, for the statistics.
    ///   - threads: the largest number of threads to use. The table doesn't depend on it.
    public mutating func build(
        _ sections: [FrameSection], sources: [RuleSource] = [], entry: EntryPoint? = nil,
        executable: [Range<UInt64>], executableBytes: UInt64, source: TableSource,
        options: TableOptions = TableOptions(), threads: Int = 1
    ) throws(TableError) -> Result {
        let sources = sources.isEmpty ? sections.map { $0.kind == .ehFrame ? .ehFrame : .debugFrame } : sources
        switch source.machine {
        case .x86_64:
            try x86_64.build(
                sections, sources, entry: entry, executable: executable, executableBytes: executableBytes,
                source: source,
                options: options, threads: threads)
            return Result(x86_64)
        case .aarch64:
            try aarch64.build(
                sections, sources, entry: entry, executable: executable, executableBytes: executableBytes,
                source: source,
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
