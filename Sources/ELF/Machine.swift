import Files

/// The instruction set of an image: `e_machine` of the ELF header (gABI, "ELF Header").
public struct Machine: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// `e_machine`
    public var rawValue: UInt16

    /// The machine with a number, known or not.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// `EM_SPARC`
    public static let sparc = Machine(rawValue: 2)
    /// `EM_386`
    public static let i386 = Machine(rawValue: 3)
    /// `EM_MIPS`
    public static let mips = Machine(rawValue: 8)
    /// `EM_SPARC32PLUS`
    public static let sparc32Plus = Machine(rawValue: 18)
    /// `EM_PPC`
    public static let powerPC = Machine(rawValue: 20)
    /// `EM_PPC64`
    public static let powerPC64 = Machine(rawValue: 21)
    /// `EM_S390`
    public static let s390 = Machine(rawValue: 22)
    /// `EM_ARM`
    public static let arm = Machine(rawValue: 40)
    /// `EM_SPARCV9`
    public static let sparcV9 = Machine(rawValue: 43)
    /// `EM_X86_64`
    public static let x86_64 = Machine(rawValue: 62)
    /// `EM_AARCH64`
    public static let aarch64 = Machine(rawValue: 183)
    /// `EM_RISCV`
    public static let riscv = Machine(rawValue: 243)
    /// `EM_BPF`
    public static let bpf = Machine(rawValue: 247)
    /// `EM_LOONGARCH`
    public static let loongArch = Machine(rawValue: 258)

    /// `x86-64`, `aarch64`, …; `machine 0x1234` for machines without a constant above.
    public var name: String {
        switch self {
        case .i386: "i386"
        case .mips: "mips"
        case .powerPC: "ppc"
        case .powerPC64: "ppc64"
        case .s390: "s390"
        case .arm: "arm"
        case .x86_64: "x86-64"
        case .aarch64: "aarch64"
        case .riscv: "riscv"
        case .sparc, .sparc32Plus: "sparc"
        case .sparcV9: "sparc64"
        case .bpf: "bpf"
        case .loongArch: "loongarch"
        default: "machine \(rawValue.hex)"
        }
    }

    public var description: String { name }
}

/// The type of file that an image is: `e_type` of the ELF header.
public enum FileType: Hashable, Sendable {
    /// `ET_REL`: a `.o`, a kernel module, a `.dwo`. Its sections all start at address 0.
    case relocatable
    /// `ET_EXEC`
    case executable
    /// `ET_DYN`: a shared library or a position-independent executable.
    case sharedObject
    /// `ET_CORE`
    case core
    /// Any other value of `e_type`.
    case other(UInt16)

    init(_ type: UInt16) {
        switch type {
        case 1: self = .relocatable
        case 2: self = .executable
        case 3: self = .sharedObject
        case 4: self = .core
        default: self = .other(type)
        }
    }
}
