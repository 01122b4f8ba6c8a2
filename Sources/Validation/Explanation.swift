import CallFrameInfo
import ELF
import TableCompiler
import TableStore
import UnwindTable

/// How an address got its rule: the instructions, the DWARF row, the table's rule, and libdw's row.
public struct Explanation: Sendable {
    /// An FDE that covers the address.
    public struct Frame: Encodable, Sendable {
        /// `.eh_frame` or `.debug_frame`, with the name of the file if it is a separate one.
        public var section: String
        /// In bytes, from the start of the section.
        public var cieOffset: Int
        public var fdeOffset: Int
        /// SVMA of the first byte, and SVMA after the last byte.
        @HexAddress public var start: UInt64
        @HexAddress public var limit: UInt64
        /// The CIE's instructions; then the FDE's, up to the address.
        public var initialInstructions: [ListedInstruction]
        public var instructions: [ListedInstruction]
        /// The FDE's row at the address; nil if there is none.
        public var row: ListedRow?
        public var problems: [ListingProblem]
    }

    public enum Verdict: Equatable, Sendable {
        case agrees, disagrees
        /// The difference has a name.
        case known(KnownDifference)
        /// The table has a reason instead of a rule, which doesn't count as a difference.
        case unsaid
    }

    /// SVMA.
    public var pc: UInt64
    /// All FDEs that cover the address, in order of precedence: the first one determines the rule.
    public var frames: [Frame]
    /// The table's rule, as text.
    public var rule: String
    /// libdw's row, in the same notation; nil if it has none.
    public var reference: String?
    /// The result of evaluating both on generated frames.
    public var verdict: Verdict
}

/// Explains addresses of one image.
public final class ImageExplainer {
    private let table: ImageTable
    private let reference: ReferenceImage
    public var machine: TableMachine { reference.machine }

    /// - Parameter store: see ``ImageValidator``.
    /// - Throws: see ``ImageValidator/validate(_:)``.
    public init(_ image: ELFImage, store: TableStore?, debugFiles: DebugFileSearch?) throws {
        table = try ImageTable(of: image, store: store, compiler: ImageCompiler(debugFiles: debugFiles))
        reference = try ReferenceImage(of: image, table.sources)
    }

    /// - Parameter pc: SVMA.
    public func explain(_ pc: UInt64) -> Explanation {
        table.withView { view in
            let validation = TableValidation(view, reference, sources: table.sources, at: [pc])
            return Explanation(
                pc: pc, frames: frames(at: pc), rule: view.describe(view.ruleNumber(at: pc)),
                reference: reference.frame(at: pc)?.text, verdict: validation.verdict)
        }
    }

    private func frames(at pc: UInt64) -> [Explanation.Frame] {
        let sections = table.sources.sections
        let listing = withExtendedLifetime(table.sources) { FrameListing(sections: sections) }
        var frames: [Explanation.Frame] = []
        var cie: ListedEntry?
        listing.forEachEntry([.instructions, .rows], pc: pc) { entry in
            guard let fields = entry.fde else {
                cie = entry
                return
            }
            // Instructions beyond the address belong to later rows.
            let instructions = entry.instructions ?? []
            frames.append(
                Explanation.Frame(
                    section: entry.section, cieOffset: fields.cieOffset, fdeOffset: entry.offset, start: fields.start,
                    limit: fields.limit, initialInstructions: cie?.instructions ?? [],
                    instructions: Array(instructions.prefix { $0.address ?? 0 <= pc }), row: entry.rows?.first,
                    problems: entry.problems))
        }
        return frames
    }
}

extension TableValidation {
    /// The verdict of a comparison at a single address.
    fileprivate var verdict: Explanation.Verdict {
        if let known = known.keys.first { return .known(known) }
        if !unsaidByTable.isEmpty { return .unsaid }
        return agreements > 0 ? .agrees : .disagrees
    }
}
