/// Opcodes of the call frame instructions (DWARF 5 §7.24 and vendors' documents).
///
/// Inlinable computed properties, so that the interpreter's switch sees constants in any module that specialises it.
public enum Opcode {
    // The three primary opcodes have an operand in their low six bits.
    @inlinable public static var advanceLoc: UInt8 { 0x40 }
    @inlinable public static var offset: UInt8 { 0x80 }
    @inlinable public static var restore: UInt8 { 0xc0 }

    @inlinable public static var nop: UInt8 { 0x00 }
    @inlinable public static var setLoc: UInt8 { 0x01 }
    @inlinable public static var advanceLoc1: UInt8 { 0x02 }
    @inlinable public static var advanceLoc2: UInt8 { 0x03 }
    @inlinable public static var advanceLoc4: UInt8 { 0x04 }
    @inlinable public static var offsetExtended: UInt8 { 0x05 }
    @inlinable public static var restoreExtended: UInt8 { 0x06 }
    @inlinable public static var undefined: UInt8 { 0x07 }
    @inlinable public static var sameValue: UInt8 { 0x08 }
    @inlinable public static var register: UInt8 { 0x09 }
    @inlinable public static var rememberState: UInt8 { 0x0a }
    @inlinable public static var restoreState: UInt8 { 0x0b }
    @inlinable public static var defCFA: UInt8 { 0x0c }
    @inlinable public static var defCFARegister: UInt8 { 0x0d }
    @inlinable public static var defCFAOffset: UInt8 { 0x0e }
    @inlinable public static var defCFAExpression: UInt8 { 0x0f }
    @inlinable public static var expression: UInt8 { 0x10 }
    @inlinable public static var offsetExtendedSF: UInt8 { 0x11 }
    @inlinable public static var defCFASF: UInt8 { 0x12 }
    @inlinable public static var defCFAOffsetSF: UInt8 { 0x13 }
    @inlinable public static var valOffset: UInt8 { 0x14 }
    @inlinable public static var valOffsetSF: UInt8 { 0x15 }
    @inlinable public static var valExpression: UInt8 { 0x16 }

    @inlinable public static var mipsAdvanceLoc8: UInt8 { 0x1d }
    @inlinable public static var aarch64SetRAState: UInt8 { 0x2b }
    @inlinable public static var aarch64NegateRAStateWithPC: UInt8 { 0x2c }
    /// `DW_CFA_GNU_window_save` on SPARC, `DW_CFA_AARCH64_negate_ra_state` on AArch64.
    @inlinable public static var gnuWindowSave: UInt8 { 0x2d }
    @inlinable public static var gnuArgsSize: UInt8 { 0x2e }
    @inlinable public static var gnuNegativeOffsetExtended: UInt8 { 0x2f }
    @inlinable public static var llvmDefAspaceCFA: UInt8 { 0x30 }
    @inlinable public static var llvmDefAspaceCFASF: UInt8 { 0x31 }
}
