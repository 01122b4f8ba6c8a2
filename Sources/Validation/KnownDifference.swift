/// Differences between a table and libdw that have a name, because both are right or it is known which one is wrong.
public enum KnownDifference: String, CaseIterable, Sendable {
    /// Padding between functions: the table extends the preceding rule over it, libdw has no row there.
    case absorbedPadding
    /// Overlapping FDEs. The table uses the one that comes first in the file. libdw uses another one, or drops all but
    /// the one that it is asked about first.
    case overlappingFrames
    /// FDEs after a zero length in the middle of a section, which libdw takes for the section's end. If the zero length
    /// is made a part of the preceding entry, libdw agrees with the table.
    case behindTerminator
    /// The return address column is not the ABI's, and no instruction mentions its register (`_mcount` of aarch64:
    /// x15). The table reads the register; libdw considers it undefined.
    case unspecifiedReturnColumn
    /// A function that the linker discarded, leaving its FDE at address 0. The table drops the FDE.
    case discardedFunction
    /// The code at which the kernel starts a program. Nothing called it, so the table ends the stack there, even where
    /// call frame information names a caller or is missing.
    case entryPoint
    /// aarch64's signal trampoline, which the kernel's vDSO doesn't describe; the table has a built-in rule for it.
    case signalTrampoline
    /// Go functions without call frame information, whose stack depths the table has from `.gopclntab`.
    case goFunction
    /// No call frame information covers the code. Its rule comes from its instructions.
    case inferred

    public var text: String {
        switch self {
        case .absorbedPadding: "padding between functions, which has the preceding rule"
        case .overlappingFrames: "overlapping FDEs, of which the table uses the first"
        case .behindTerminator: "FDEs after a zero length, at which libdw stops"
        case .unspecifiedReturnColumn: "return address in a register that libdw considers undefined"
        case .discardedFunction: "functions that the linker discarded, at address 0"
        case .entryPoint: "the entry point, which nothing calls, whatever its FDE says"
        case .signalTrampoline: "the vDSO's signal trampoline, for which cfic has a rule of its own"
        case .inferred: "code without call frame information, whose rules its instructions prove"
        case .goFunction: "Go functions, whose stack depths .gopclntab tells"
        }
    }
}
