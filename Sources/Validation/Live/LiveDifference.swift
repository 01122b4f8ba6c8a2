/// Why the kernel's stack and libdw's are not the same up to the outermost frame.
public enum LiveDifference: String, CaseIterable, Sendable {
    /// Both sides have the frame by call frame information, and it differs; or only one side says that its callee is the
    /// outermost one.
    case disagreement

    // The known reasons. None of them says anything about a rule.

    /// There is no call frame information for the last common frame. Either side goes on by other means, or doesn't.
    case noCallFrameInformation
    /// The kernel guessed, because the file has no table or its table has nothing there; libdw has a row.
    case guessed
    /// The rule reads a register that tables don't carry from frame to frame; libdw carries all registers.
    case needsRegisters
    /// The stack has more frames than a walk follows.
    case tooDeep
    /// The table has a reason instead of a rule.
    case noRule
    /// The kernel had no mapping or no table for the last frame yet.
    case noTable
    /// The entry point, which nothing called. libdw continues, because call frame information contradicts this or is
    /// missing.
    case entryPoint
    /// The stack goes on beyond the 64 KiB that a snapshot has.
    case snapshotEnds
    /// libdw needed memory that is not in the snapshot, such as another stack.
    case memoryMissing
    /// libdw doesn't know a register that its own row needs, but the walk in user space does.
    case referenceRegisters
    /// The kernel could not read the process's memory, and neither could libdw get further.
    case unreadable
    /// The process's mappings were not known when the sample was taken, or are no longer known.
    case mappingsUnknown
    /// libdwfl could not be set up for the process.
    case noReference

    /// Whether it does not count as a disagreement.
    public var isKnown: Bool { self != .disagreement }

    public var text: String {
        switch self {
        case .disagreement: "the stacks differ"
        case .noCallFrameInformation: "there is no call frame information for the next frame"
        case .guessed: "the kernel guessed a frame for which libdw has a row"
        case .needsRegisters: "the rule needs a register that tables don't carry from frame to frame"
        case .tooDeep: "more frames than a walk follows"
        case .noRule: "the table has a reason instead of a rule"
        case .noTable: "the kernel had no mapping or table there yet"
        case .entryPoint: "the entry point, which nothing calls; libdw continues"
        case .snapshotEnds: "the stack goes on beyond the snapshot's 64 KiB"
        case .memoryMissing: "libdw needs memory that is not in the snapshot"
        case .referenceRegisters: "libdw doesn't know a register that its row needs"
        case .unreadable: "memory could not be read"
        case .mappingsUnknown: "the process's mappings were not known"
        case .noReference: "libdw could not be set up"
        }
    }
}
