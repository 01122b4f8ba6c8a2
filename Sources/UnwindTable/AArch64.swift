/// DWARF for the Arm 64-bit Architecture, §4.1 (DWARF register names).
@usableFromInline
package enum AArch64: Architecture {
    @inlinable package static var machine: UInt16 { 183 }
    @inlinable package static var pcShift: UInt8 { 2 }
    @inlinable package static var stackPointer: UInt64 { 31 }
    @inlinable package static var framePointer: UInt64 { 29 }
    @inlinable package static var lastRegister: UInt64 { 31 }
    @inlinable package static func isProgramCounter(_ register: UInt64) -> Bool { register == 32 }
    @inlinable package static func isVectorLength(_ register: UInt64) -> Bool { register == 46 }
    /// `RA_SIGN_STATE`.
    @inlinable package static var signingStateColumn: UInt64? { 34 }

    static let registerNames = (0...30).map { "x\($0)" } + ["sp"]
}
