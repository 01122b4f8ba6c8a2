/// Something in an object that a kernel refuses or lacks, or that libbpf refuses before it involves the kernel.
public struct Finding: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case globalFunction = "global-function"
        case instruction
        case helper
        /// The kernel has the helper, but not for this kind of program.
        case helperAccess = "helper-access"
        case licence
        case kernelFunction = "kernel-function"
        case kernelVariable = "kernel-variable"
        case callback
        case program
        case section
        case attachTarget = "attach-target"
        case relocation
        case map
        case mapFlag = "map-flag"
        case mapDefinition = "map-definition"
        case preallocation
        case tailCall = "tail-call"
        case stackDepth = "stack-depth"
        case callDepth = "call-depth"
        case recursion
        case unresolvedCall = "unresolved-call"
        case types
    }

    public var kind: Kind
    public var kernel: KernelVersion
    /// The machines on which the kernel refuses it; nil if it doesn't depend on the machine.
    public var machines: [TargetMachine]?
    /// The function or program; nil for maps.
    public var function: String?
    /// The program for which it is refused, if that matters.
    public var program: String?
    /// Where it is in the object: a section, and the offset in it, in bytes.
    public var section: String?
    public var offset: Int?
    /// Where it is in the source, if there is line information.
    public var source: SourceLocation?
    /// A description of the problem.
    public var problem: String
    /// The kernel's message, or the beginning of it, if known.
    public var refusal: String?
    /// The first release without the problem; nil if there is none.
    public var since: KernelVersion?
    public var remedy: String
    /// What must also be true for the object to be refused: "CONFIG_HZ decides it"; nil for nothing.
    public var condition: String?
    /// Whether the problem affects only programs that libbpf doesn't load unless told to (`SEC("?…")`).
    public var isOptional = false

    /// Whether an object with this problem is refused when libbpf loads it by default.
    public var isRefusal: Bool { condition == nil && !isOptional }
}
