import ELF
import Inputs
import TableCompiler
import UnwindTable
import Validation

/// Tests bytes as DWARF expressions in the FDE of a minimal ELF file. Our table must agree with libdw.
///
/// The first byte gives the rule that the expression is for, the machine, and whether the FDE is for a signal frame.
/// The second byte is the size of a preceding expression for the CFA.
@_cdecl("LLVMFuzzerTestOneInput")
public func testExpression(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var input = InputBytes(start, count)
    let choice = input.next()
    let cfaCount = Int(input.next())
    let place = ExpressionImage.Place(rawValue: choice & 7) ?? .cfa
    var expressions: [(place: ExpressionImage.Place, bytes: [UInt8])] = []
    var rest = input.rest.prefix(4096)
    if place != .cfa, cfaCount > 0 {
        expressions.append((.cfa, Array(rest.prefix(cfaCount))))
        rest = rest.dropFirst(cfaCount)
    }
    expressions.append((place, Array(rest)))
    // The value of a register's empty expression is the CFA, which is initially on the stack (DWARF 5 §6.4.2.3; libgcc
    // does the same). libdw returns no operations for it, as for an undefined register.
    if place != .cfa, rest.isEmpty { return 0 }
    if mayHaveLongNumber(input.rest) { return 0 }
    let machine: TableMachine = choice & 8 == 0 ? .x86_64 : .aarch64
    compare(ExpressionImage(machine, expressions, isSignalFrame: choice & 16 != 0)) {
        let sums = expressions.map { (place: $0.place, bytes: $0.bytes.map { divisions.contains($0) ? 0x22 : $0 }) }
        return ExpressionImage(machine, sums, isSignalFrame: choice & 16 != 0)
    }
    return 0
}

/// DW_OP_div, DW_OP_mod
private let divisions: [UInt8] = [0x1b, 0x1d]

/// LEB128 numbers may be padded to any length (DWARF 5 §7.6), which we support. libdw reads at most ten bytes of one,
/// and takes the remaining bytes for operations.
private func mayHaveLongNumber(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var run = 0
    for byte in bytes {
        run = byte & 0x80 == 0 ? 0 : run + 1
        if run == 10 { return true }
    }
    return false
}

nonisolated(unsafe) private let compiler = ImageCompiler(debugFiles: nil)

/// Fails if the table and libdw disagree.
///
/// If the result is a register or the CFA, a rule contains only that, so a division by zero earlier in the expression
/// doesn't matter. libdw's operations are all evaluated, and fail at that division. In this case the two must agree on
/// the same expressions without divisions.
///
/// - Parameter withoutDivisions: the same image with DW_OP_plus, 0x22, in place of all divisions.
private func compare(_ image: ExpressionImage, withoutDivisions: () -> ExpressionImage) {
    guard let (difference, rule) = firstDifference(image) else { return }
    if case .unsaid = difference.reference, image.mayDivide, firstDifference(withoutDivisions()) == nil { return }
    fatalError("\(rule)\ntable: \(difference.table)\nlibdw: \(difference.reference)")
}

/// The first disagreement, and our rule as text.
private func firstDifference(_ image: ExpressionImage) -> (TableValidation.Disagreement, rule: String)? {
    do {
        let table = try compiler.compile(ELFImage(bytes: image.bytes, name: "input")).table
        let reference = try ReferenceImage(bytes: image.bytes, name: "input")
        let code = ExpressionImage.code
        let view = try TableVerifier.verify(table)
        let validation = TableValidation(view, reference, at: [code.lowerBound, code.upperBound - 4])
        return validation.disagreements.first.map { ($0, view.describe(view.ruleNumber(at: $0.address))) }
    } catch {
        // The file is valid and has an FDE.
        fatalError("\(error)")
    }
}
