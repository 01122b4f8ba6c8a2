/// The properties of a machine that lowering needs. There is one type per machine, in its own file; generic code is
/// specialised for it at compile time.
@usableFromInline
package protocol Architecture: SendableMetatype {
    /// ELF `e_machine`.
    static var machine: UInt16 { get }
    /// log2 of the pc unit: instruction addresses are multiples of it.
    static var pcShift: UInt8 { get }
    /// DWARF numbers of the registers that an unwinder tracks (psABI).
    static var stackPointer: UInt64 { get }
    /// DWARF number of the frame pointer.
    static var framePointer: UInt64 { get }
    /// The highest DWARF number of a register that rules can refer to.
    static var lastRegister: UInt64 { get }
    /// Whether a register number in an expression means the program counter.
    static func isProgramCounter(_ register: UInt64) -> Bool
    /// Whether a register is the length of scalable vectors (AArch64's VG).
    static func isVectorLength(_ register: UInt64) -> Bool
    /// The column that states whether the return address is signed; nil if the machine has none.
    static var signingStateColumn: UInt64? { get }
}

/// The machines that tables exist for.
public enum TableMachine: UInt16, CaseIterable, Sendable {
    /// x86-64. Registers have the numbers of the System V ABI, AMD64 supplement, §3.6.2.
    case x86_64 = 62
    /// aarch64. Registers have the numbers of DWARF for the Arm 64-bit Architecture, §4.1.
    case aarch64 = 183

    /// `x86-64` or `aarch64`.
    public var name: String {
        switch self {
        case .x86_64: "x86-64"
        case .aarch64: "aarch64"
        }
    }

    /// log2 of the pc unit in bytes.
    public var pcShift: UInt8 {
        switch self {
        case .x86_64: X86_64.pcShift
        case .aarch64: AArch64.pcShift
        }
    }

    /// DWARF numbers of the registers that an unwinder tracks from frame to frame.
    public var stackPointer: UInt64 {
        switch self {
        case .x86_64: X86_64.stackPointer
        case .aarch64: AArch64.stackPointer
        }
    }

    /// DWARF number of the frame pointer: 6 (rbp) on x86-64, 29 (x29) on aarch64.
    public var framePointer: UInt64 {
        switch self {
        case .x86_64: X86_64.framePointer
        case .aarch64: AArch64.framePointer
        }
    }

    /// The highest DWARF number of a register that rules can refer to.
    public var lastRegister: UInt64 {
        switch self {
        case .x86_64: X86_64.lastRegister
        case .aarch64: AArch64.lastRegister
        }
    }

    /// The name of a register in the machine's assembly language.
    ///
    /// - Parameter number: its DWARF number. If rules can't refer to it, the name is `r` and the number.
    public func registerName(_ number: UInt8) -> String {
        let names =
            switch self {
            case .x86_64: X86_64.registerNames
            case .aarch64: AArch64.registerNames
            }
        return Int(number) < names.count ? names[Int(number)] : "r\(number)"
    }
}
