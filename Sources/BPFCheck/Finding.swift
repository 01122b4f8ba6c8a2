/// Something that a kernel refuses, or that it doesn't have; or that libbpf refuses before it asks the kernel.
public struct Finding: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case globalFunction = "global-function"
        case instruction
        case helper
        /// A helper that the kernel has, but not for this kind of program.
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
    /// What must hold besides for the object to be refused: "CONFIG_HZ decides it"; nil if nothing must.
    public var condition: String?
    /// Whether only programs have the problem that libbpf leaves out unless it is told to load them (`SEC("?…")`).
    public var isOptional = false

    /// Whether an object with this is refused as libbpf loads it by default.
    public var isRefusal: Bool { condition == nil && !isOptional }
}
