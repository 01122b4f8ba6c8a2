/// System V ABI, AMD64 Architecture Processor Supplement, §3.6.2 (DWARF register numbers).
@usableFromInline
package enum X86_64: Architecture {
    @inlinable package static var machine: UInt16 { 62 }
    @inlinable package static var pcShift: UInt8 { 0 }
    @inlinable package static var stackPointer: UInt64 { 7 }
    @inlinable package static var framePointer: UInt64 { 6 }
    @inlinable package static var lastRegister: UInt64 { 15 }
    @inlinable package static func isProgramCounter(_ register: UInt64) -> Bool { register == 16 }
    @inlinable package static func isVectorLength(_ register: UInt64) -> Bool { false }
    @inlinable package static var signingStateColumn: UInt64? { nil }

    static let registerNames = [
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
}
