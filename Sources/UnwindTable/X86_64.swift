/// System V ABI, AMD64 Architecture Processor Supplement, §3.6.2 (DWARF register numbers).
public enum X86_64: Architecture {
    @inlinable public static var machine: UInt16 { 62 }
    @inlinable public static var pcShift: UInt8 { 0 }
    @inlinable public static var stackPointer: UInt64 { 7 }
    @inlinable public static var framePointer: UInt64 { 6 }
    @inlinable public static var lastRegister: UInt64 { 15 }
    @inlinable public static func isProgramCounter(_ register: UInt64) -> Bool { register == 16 }
    @inlinable public static func isVectorLength(_ register: UInt64) -> Bool { false }
    @inlinable public static var signingStateColumn: UInt64? { nil }

    static let registerNames = [
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
}
