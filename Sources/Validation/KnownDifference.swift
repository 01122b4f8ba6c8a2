/// Differences between a table and libdw that have a name: nobody is wrong, or it is known who.
public enum KnownDifference: String, CaseIterable, Sendable {
    /// Padding between functions, which a table gives the rule before it; libdw knows nothing there.
    case absorbedPadding
    /// FDEs that overlap. A table has the one that comes first in the file; libdw another one of them, or drops all but
    /// the one that it is asked for first.
    case overlappingFrames
    /// FDEs behind a zero length in the middle of a section, which libdw takes for its end. With that made a part of
    /// the entry before it, libdw says what the table says.
    case behindTerminator
    /// The return address is in a register that no instruction speaks of and that is not the ABI's (`_mcount` of
    /// aarch64: x15). To the table it is there; libdw takes it for undefined.
    case unspecifiedReturnColumn
    /// A function that the linker discarded and whose FDE it left behind, beginning at address 0. A table drops it.
    case discardedFunction
    /// The code where the kernel starts a program. Nothing called it: a table says so even where call frame information
    /// names a caller, or there is none.
    case entryPoint
    /// aarch64's signal trampoline, of which the kernel's vDSO says nothing: a table has a rule of our own.
    case signalTrampoline

    public var text: String {
        switch self {
        case .absorbedPadding: "padding between functions, which has the preceding rule"
        case .overlappingFrames: "overlapping FDEs, of which the table uses the first"
        case .behindTerminator: "FDEs after a zero length, at which libdw stops"
        case .unspecifiedReturnColumn: "return address in a register that libdw considers undefined"
        case .discardedFunction: "functions that the linker discarded, at address 0"
        case .entryPoint: "the entry point, which nothing calls, whatever its FDE says"
        case .signalTrampoline: "the vDSO's signal trampoline, for which cfic has a rule of its own"
        }
    }
}
