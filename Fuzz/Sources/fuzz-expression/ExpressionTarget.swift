import ELF
import Inputs
import TableCompiler
import UnwindTable
import Validation

/// Bytes as DWARF expressions in the FDE of a minimal ELF file: our table of it must mean what libdw says of it.
///
/// The first byte says what the expression computes, for which machine, and whether it is a signal frame; the second one
/// how many bytes of a second expression, that of the CFA, come before.
@_cdecl("LLVMFuzzerTestOneInput")
public func testExpression(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var input = InputBytes(start, count)
    let choice = input.next()
    let cfaCount = Int(input.next())
    let place = ExpressionImage.Place(rawValue: (choice & 7) % 5) ?? .cfa
    var expressions: [(place: ExpressionImage.Place, bytes: [UInt8])] = []
    var rest = input.rest.prefix(4096)
    if place != .cfa, cfaCount > 0 {
        expressions.append((.cfa, Array(rest.prefix(cfaCount))))
        rest = rest.dropFirst(cfaCount)
    }
    expressions.append((place, Array(rest)))
    // A register's empty expression: the CFA, which is on the stack at the start (DWARF 5 §6.4.2.3, as libgcc does it).
    // libdw hands out no operations for it, as it does where a register is undefined.
    if place != .cfa, rest.isEmpty { return 0 }
    let image = ExpressionImage(
        choice & 8 == 0 ? .x86_64 : .aarch64, expressions, isSignalFrame: choice & 16 != 0)
    compare(image)
    return 0
}

nonisolated(unsafe) private let compiler = ImageCompiler(debugFiles: nil)

private func compare(_ image: ExpressionImage) {
    do {
        let table = try compiler.compile(ELFImage(bytes: image.bytes, name: "input")).built.table
        let reference = try ReferenceImage(bytes: image.bytes, name: "input")
        let code = ExpressionImage.code
        let validation = TableValidation(
            try TableVerifier.verify(table), reference, at: [code.lowerBound, code.upperBound - 4])
        for difference in validation.disagreements {
            fatalError(
                "at \(difference.address): table: \(difference.table); libdw: \(difference.reference)")
        }
    } catch {
        // The file is sound, and has an FDE.
        fatalError("\(error)")
    }
}
