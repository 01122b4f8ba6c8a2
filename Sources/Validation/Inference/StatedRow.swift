import CallFrameInfo
import Inference

/// The columns that are compared with inferred rules: the frame pointer's and the return address's, for x86-64.
struct ComparedColumns: RegisterColumns {
    var framePointer = RegisterRule.unspecified
    var returnAddress = RegisterRule.unspecified

    func keeps(_ register: UInt64) -> Bool { register == 6 || register == 16 }

    func rule(for register: UInt64) -> RegisterRule {
        switch register {
        case 6: framePointer
        case 16: returnAddress
        default: .unspecified
        }
    }

    mutating func setRule(_ rule: RegisterRule, for register: UInt64) {
        switch register {
        case 6: framePointer = rule
        case 16: returnAddress = rule
        default: break
        }
    }

    mutating func negateReturnAddressState(withPC: Bool) {}
    mutating func setReturnAddressState(_ state: UInt64) {}
}

/// A row of call frame information, to be evaluated in the states that inference found.
struct StatedRow {
    /// SVMA from which it holds, until the next row.
    var address: UInt64
    var cfa: CFARule
    var framePointer: RegisterRule
    var returnAddress: RegisterRule

    /// Whether it says that there is no caller.
    var isOutermost: Bool { returnAddress.kind == .undefined }

    func cfa(in section: FrameSection, _ state: SymbolicState, pc: UInt64) -> SymbolicValue {
        switch cfa.kind {
        case .registerOffset where cfa.register < 16: state[UInt8(cfa.register)].adding(cfa.offset)
        case .expression where cfa.expression.kind == .expression:
            SymbolicExpression.value(cfa.expression.block, in: section, state, pc: pc)
        default: .unknown
        }
    }

    /// What the caller's register holds by a rule, if the CFA is right.
    ///
    /// - Parameter register: by DWARF's number; the return address, 16, is in no register.
    static func value(
        _ rule: RegisterRule, of register: UInt8, in section: FrameSection, _ state: SymbolicState, pc: UInt64
    ) -> SymbolicValue {
        switch rule.kind {
        case .unspecified, .sameValue: register < 16 ? state[register] : .unknown
        case .offset: state.loaded(from: .cfa(rule.offset))
        case .valueOffset: .cfa(rule.offset)
        case .register: rule.register < 16 ? state[UInt8(rule.register)] : .unknown
        case .expression:
            state.loaded(
                from: SymbolicExpression.value(rule.block, in: section, state, pc: pc, initial: [.cfa(0)]))
        case .valueExpression: SymbolicExpression.value(rule.block, in: section, state, pc: pc, initial: [.cfa(0)])
        case .undefined, .tooWide: .unknown
        }
    }
}

extension StatedRow: CustomStringConvertible {
    var description: String {
        let cfa =
            switch self.cfa.kind {
            case .undefined: "undefined"
            case .registerOffset: "r\(self.cfa.register)\(self.cfa.offset < 0 ? "" : "+")\(self.cfa.offset)"
            case .expression: "by expression"
            }
        return "CFA \(cfa), rbp \(Self.text(framePointer)), return address \(Self.text(returnAddress))"
    }

    private static func text(_ rule: RegisterRule) -> String {
        switch rule.kind {
        case .unspecified, .sameValue: "unchanged"
        case .undefined: "undefined"
        case .offset: "[CFA\(rule.offset < 0 ? "" : "+")\(rule.offset)]"
        case .valueOffset: "CFA\(rule.offset < 0 ? "" : "+")\(rule.offset)"
        case .register: "r\(rule.register)"
        case .expression, .valueExpression: "by expression"
        case .tooWide: "too wide"
        }
    }
}
