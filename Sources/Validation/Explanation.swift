import CallFrameInfo
import ELF
import TableCompiler
import TableStore
import UnwindTable

/// How an address came to its rule: the instructions that led there, the DWARF row, the table's rule, libdw's answer.
public struct Explanation: Sendable {
    /// An FDE that covers the address.
    public struct Frame: Encodable, Sendable {
        /// `.eh_frame`, with the file where that is another one.
        public var section: String
        /// Offsets in the section.
        public var cieOffset: Int
        public var fdeOffset: Int
        /// SVMAs: the first byte, and behind the last one.
        @HexAddress public var start: UInt64
        @HexAddress public var limit: UInt64
        /// The CIE's instructions, then the FDE's up to the address.
        public var initialInstructions: [ListedInstruction]
        public var instructions: [ListedInstruction]
        /// The FDE's row at the address; nil if there is none.
        public var row: ListedRow?
        public var problems: [ListingProblem]
    }

    public enum Verdict: Equatable, Sendable {
        case agrees, disagrees
        /// A difference that has a name: see `KnownDifference`.
        case known(KnownDifference)
        /// The table has a reason, which is no difference.
        case unsaid
    }

    /// SVMA.
    public var pc: UInt64
    /// All FDEs that cover it, in the order in which they take precedence: the first one counts.
    public var frames: [Frame]
    /// The table's rule, in words.
    public var rule: String
    /// libdw's row, in the same words; nil if it has none.
    public var reference: String?
    /// Whether both mean the same of made-up frames.
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
            // Behind the address, instructions make other rows.
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
    /// Of a comparison at one address.
    fileprivate var verdict: Explanation.Verdict {
        if let known = known.keys.first { return .known(known) }
        if !unsaidByTable.isEmpty { return .unsaid }
        return agreements > 0 ? .agrees : .disagrees
    }
}
