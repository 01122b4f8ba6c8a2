/// DWARF for the Arm 64-bit Architecture, §4.1 (DWARF register names).
public enum AArch64: Architecture {
    @inlinable public static var machine: UInt16 { 183 }
    @inlinable public static var pcShift: UInt8 { 2 }
    @inlinable public static var stackPointer: UInt64 { 31 }
    @inlinable public static var framePointer: UInt64 { 29 }
    @inlinable public static var lastRegister: UInt64 { 31 }
    @inlinable public static func isProgramCounter(_ register: UInt64) -> Bool { register == 32 }
    @inlinable public static func isVectorLength(_ register: UInt64) -> Bool { register == 46 }
    /// `RA_SIGN_STATE`.
    @inlinable public static var signingStateColumn: UInt64? { 34 }

    static let registerNames = (0...30).map { "x\($0)" } + ["sp"]
}
