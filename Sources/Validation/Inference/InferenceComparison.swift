import CallFrameInfo
import ELF
import Inference
import Search
import TableCompiler

/// What inferred rules and call frame information say about the same code, in bytes: an instruction counts with its length,
/// for the state before it.
public struct InferenceComparison: Sendable {
    /// In what rules differ. The first one that does counts.
    public enum Difference: String, CaseIterable, Sendable {
        /// The CFA of the call frame information is another address.
        case cfa
        /// What the call frame information computes the CFA from is unknown.
        case unconfirmedFrame
        /// The return address of the call frame information isn't what was at CFA − 8 at the entry.
        case returnAddress
        /// The caller's frame pointer is elsewhere, or isn't known to be there.
        case framePointer
        /// The call frame information says where the caller's frame pointer is; inference doesn't.
        case unknownFramePointer
    }

    /// Bytes that disagree: where the disagreement begins behind an instruction of a block, and where at a block's start.
    public struct Disagreement: Equatable, Sendable {
        public var straightLine = 0
        public var blockStart = 0
        public var total: Int { straightLine + blockStart }

        public init(straightLine: Int = 0, blockStart: Int = 0) {
            self.straightLine = straightLine
            self.blockStart = blockStart
        }
    }

    /// A place where a disagreement begins.
    public struct Example: Sendable {
        /// SVMA.
        public var address: UInt64
        public var difference: Difference
        public var isBlockStart: Bool
        public var inferred: String
        public var stated: String
        /// The instructions in front of it in its block, and itself; the address of each with its text.
        public var instructions: [(address: UInt64, text: String)]
    }

    /// Functions with call frame information, parts that lie elsewhere included.
    public var functions = 0
    /// All of their bytes.
    public var codeBytes = 0
    /// Bytes of no-ops and traps that no path reaches.
    public var paddingBytes = 0
    public var ruleBytes = 0
    public var agreeingBytes = 0
    /// Bytes with a rule where the call frame information says that there is no caller, or can't be read.
    public var uncomparedBytes = 0
    public var disagreements: [Difference: Disagreement] = [:]
    /// Bytes without a rule, padding aside, by reason: an `InferenceFailure`, that no path reaches them, or that nothing is
    /// known to enter the function.
    public var givenUp: [String: Int] = [:]
    /// Up to as many as were asked for, in ascending address order.
    public var examples: [Example] = []
    /// Functions that got no rules: SVMAs of the function and of the cause.
    public var failures: [(function: UInt64, address: UInt64, reason: String)] = []

    public static var unreached: String { "unreached" }
    public static var noEntry: String { "noEntry" }

    public var disagreeingBytes: Int { disagreements.values.reduce(0) { $0 + $1.total } }
    /// The share of bytes without padding that get a rule, 0 to 1.
    public var yield: Double { Self.share(ruleBytes, of: codeBytes - paddingBytes) }
    /// The share of bytes compared that agree, 0 to 1.
    public var agreement: Double { Self.share(agreeingBytes, of: ruleBytes - uncomparedBytes) }

    private static func share(_ part: Int, of whole: Int) -> Double {
        whole > 0 ? Double(part) / Double(whole) : 1
    }

    public init() {}

    /// Adds another file's numbers. Examples and failures are left out.
    public mutating func add(_ other: InferenceComparison) {
        functions += other.functions
        codeBytes += other.codeBytes
        paddingBytes += other.paddingBytes
        ruleBytes += other.ruleBytes
        agreeingBytes += other.agreeingBytes
        uncomparedBytes += other.uncomparedBytes
        for (difference, bytes) in other.disagreements {
            disagreements[difference, default: Disagreement()].straightLine += bytes.straightLine
            disagreements[difference, default: Disagreement()].blockStart += bytes.blockStart
        }
        givenUp.merge(other.givenUp, uniquingKeysWith: +)
    }
}
