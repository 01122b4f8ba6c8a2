/// Something that a kernel refuses, or that it doesn't have.
public struct Finding: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case globalFunction = "global-function"
        case instruction
        case helper
        case kernelFunction = "kernel-function"
        case callback
        case program
        case map
        case mapFlag = "map-flag"
        case preallocation
        case tailCall = "tail-call"
        case stackDepth = "stack-depth"
        case callDepth = "call-depth"
        case recursion
        case unresolvedCall = "unresolved-call"
    }

    public var kind: Kind
    public var kernel: KernelVersion
    /// The machines whose kernel refuses; nil if it doesn't depend on that.
    public var machines: [TargetMachine]?
    /// The function or program; nil for maps.
    public var function: String?
    /// The program with which it is refused, where that matters.
    public var program: String?
    /// Where it is in the object: a section, and in bytes from its start.
    public var section: String?
    public var offset: Int?
    /// Where it is in the source, if there is line information.
    public var source: SourceLocation?
    /// What is wrong.
    public var problem: String
    /// The kernel's own words, or the beginning of them, where they are known.
    public var refusal: String?
    /// The first release without the problem; nil if there is none.
    public var since: KernelVersion?
    public var remedy: String
}
