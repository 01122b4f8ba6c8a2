import ELF
import TableCompiler
import TableStore
import TestFixtures
import UnwindTable
import Validation

/// Compares a file's table with libdw.
func validated(
    _ path: String, keepsGaps: Bool = false, isExhaustive: Bool = false, store: TableStore? = nil
) throws -> ImageValidator.Result {
    var effort = TableValidation.Effort()
    effort.isExhaustive = isExhaustive
    let validator = ImageValidator(
        store: store, options: TableOptions(keepsGaps: keepsGaps), debugFiles: nil, effort: effort)
    return try validator.validate(ELFImage(path: path))
}

extension TableStore {
    /// Stores the table of the file at `other` under the key of the file at `path`, as only a damaged cache has it.
    func plant(tableOf other: String, for path: String, debugFiles: DebugFileSearch? = nil) throws {
        let key = try key(of: ImageInput(ELFImage(path: path), search: debugFiles))
        let compiler = ImageCompiler(debugFiles: debugFiles)
        let table = try compiler.compile(ELFImage(path: other), key: key).built.table
        try withExtendedLifetime(compiler) { try insert(table, key: key) }
    }
}

/// Hand-written entries for code at 0x401000, each of 64 bytes.
enum Entries {
    /// CFA = rsp+8, the return address below it.
    static let cie = """
        cie: .long 1f - 0f
        0: .long ID
        .byte 1
        .asciz ""
        .uleb128 1
        .sleb128 -8
        .byte 16
        .byte 0x0c, 7, 8, 0x90, 1
        .balign 8, 0
        1:

        """

    /// - Parameter cfaOffset: the CFA offset of all its rows.
    static func fde(start: String, size: Int, cfaOffset: Int) -> String {
        """
        .long 1f - 0f
        0: .long CIE
        .quad \(start), \(size)
        .byte 0x0e, \(cfaOffset)
        .balign 8, 0
        1:

        """
    }

    /// An executable with these entries after zero lengths.
    static func program(
        _ entries: String..., leadingZeros: Int = 0, section: String = ".eh_frame", in fixture: Fixture
    ) throws -> String {
        let isDebugFrame = section == ".debug_frame"
        let text = ([".fill \(leadingZeros), 4, 0\n", cie] + entries).joined()
            .replacingOccurrences(of: "ID", with: isDebugFrame ? "-1" : "0")
            .replacingOccurrences(of: "CIE", with: isDebugFrame ? "cie - section" : "0b - cie")
        return try fixture.program(
            """
            .text
            .globl f
            f: .fill 256, 1, 0x90
            .section .cfi, "a"
            section:
            \(text)
            """, section: section)
    }
}
