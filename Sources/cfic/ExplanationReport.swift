import JSONDocuments
import CallFrameInfo
import Files
import UnwindTable
import Validation

/// The explanation of `cfic lookup --explain` for an address.
struct ExplanationReport: Encodable {
    @HexAddress var address: UInt64
    var function: String?
    var mangledName: String?
    var functionOffset: UInt64?
    var frames: [Explanation.Frame]
    var rule: String
    /// libdw's row.
    var referenceRow: String?
    /// `agrees`, `disagrees`, `unsaid`, or the name of a known difference.
    var verdict: String

    private let explanation: Explanation
    private let machine: TableMachine

    private enum CodingKeys: CodingKey {
        case address, function, mangledName, functionOffset, frames, rule, referenceRow, verdict
    }

    init(
        _ explanation: Explanation, _ function: DemangleOption.Function?, offset: UInt64?, machine: TableMachine
    ) {
        self.explanation = explanation
        self.machine = machine
        (self.function, mangledName, functionOffset) = (function?.name, function?.mangledName, offset)
        (address, frames, rule) = (explanation.pc, explanation.frames, explanation.rule)
        referenceRow = explanation.reference
        verdict =
            switch explanation.verdict {
            case .agrees: "agrees"
            case .disagrees: "disagrees"
            case .unsaid: "unsaid"
            case .known(let known): JSONText.name(known.rawValue)
            }
    }

    func write(to output: inout StandardOutput) {
        output.line(LookupCommand.heading(address, function, functionOffset))
        for frame in frames { write(frame, to: &output) }
        if frames.isEmpty { output.line("  no FDE covers it") }
        output.line("  table  \(rule)")
        output.line("  libdw  \(referenceRow ?? "no row")")
        output.line("  \(verdictText)")
    }

    private var verdictText: String {
        switch explanation.verdict {
        case .agrees: "they mean the same"
        case .disagrees: "they do not mean the same"
        case .unsaid: "the table has a reason instead of a rule"
        case .known(let known): "they differ: \(known.text)"
        }
    }

    private func write(_ frame: Explanation.Frame, to output: inout StandardOutput) {
        output.line(
            "  \(frame.section)+\(frame.fdeOffset.hex): FDE \(frame.start.hex)"
                + "..\(frame.limit.hex), CIE +\(frame.cieOffset.hex)")
        let width = frame.limit.hex.count
        for (place, instruction) in frame.initialInstructions.map({ ("CIE", $0) })
            + frame.instructions.map({ (($0.address ?? frame.start).hex, $0) }) where instruction.isTelling
        {
            let margin = String(repeating: " ", count: max(0, width - place.count))
            output.line("    \(place)\(margin)  \(instruction.name) \(instruction.operands ?? "")")
        }
        if let row = frame.row {
            output.line("  row    \(row.start.hex)..\(row.limit.hex)  \(text(row))")
        }
        for problem in frame.problems { output.line("  error  \(problem)") }
    }

    private func text(_ row: ListedRow) -> String {
        let registers = row.registers.map { "\(name($0.column, $0.name)) = \(text($0))" }
        let signing: [String] =
            switch row.returnAddressState {
            case .signed: ["ra signed"]
            case .signedWithPC: ["ra signed with the pc"]
            case .notSigned, nil: []
            }
        return (["CFA = \(cfaText(row.cfa))"] + registers + signing).joined(separator: ", ")
    }

    private func cfaText(_ rule: ListedRule) -> String {
        if let expression = rule.expression { return expression }
        guard let register = rule.register else { return "unspecified" }
        return sum(name(register, nil), rule.offset ?? 0)
    }

    private func text(_ rule: ListedRule) -> String {
        switch rule.kind {
        case .unspecified: "unspecified"
        case .undefined: "undefined"
        case .sameValue: "same value"
        case .register: name(rule.register, nil)
        case .offset: "*(\(sum("CFA", rule.offset ?? 0)))"
        case .valueOffset: sum("CFA", rule.offset ?? 0)
        case .expression: "*(\(rule.expression ?? "an expression"))"
        case .valueExpression: rule.expression ?? "an expression"
        case .tooWide: "beyond 56 bits"
        }
    }

    private func name(_ register: UInt64?, _ name: String?) -> String {
        guard let register else { return "?" }
        if register <= machine.lastRegister { return machine.registerName(UInt8(register)) }
        return name ?? "r\(register)"
    }

    private func sum(_ base: String, _ offset: Int64) -> String {
        offset == 0 ? base : "\(base)\(offset < 0 ? "" : "+")\(offset)"
    }
}

extension ListedInstruction {
    /// Whether it changes a rule. Advances are visible in the addresses of later instructions.
    fileprivate var isTelling: Bool {
        name != "DW_CFA_nop" && name != "DW_CFA_set_loc" && !name.contains("advance_loc")
    }
}
