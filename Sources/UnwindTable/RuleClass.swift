import CUnwindTable

/// The kinds of rules that statistics distinguish.
package enum RuleClass: Hashable, Sendable, Comparable {
    /// CFA = stack pointer + offset.
    case stackPointer
    /// CFA = frame pointer + offset.
    case framePointer
    /// CFA = another register + offset.
    case otherRegister
    /// CFA = a word in memory.
    case dereferenced
    /// CFA, frame pointer or return address by a program.
    case program
    case endOfStack
    case unsupported(Reason)
    case noInformation

    package init(_ rule: Rule, machine: TableMachine) {
        if let reason = rule.reason {
            self = reason == .noInformation ? .noInformation : .unsupported(reason)
        } else if rule.isEndOfStack {
            self = .endOfStack
        } else if rule.cfaKind == .expression || rule.framePointer.isExpression
            || rule.returnAddress.isExpression
        {
            self = .program
        } else if rule.cfaKind == .dereferenced {
            self = .dereferenced
        } else if UInt64(rule.cfaRegister) == machine.stackPointer {
            self = .stackPointer
        } else if UInt64(rule.cfaRegister) == machine.framePointer {
            self = .framePointer
        } else {
            self = .otherRegister
        }
    }

    package var text: String {
        switch self {
        case .stackPointer: "CFA from stack pointer"
        case .framePointer: "CFA from frame pointer"
        case .otherRegister: "CFA from other register"
        case .dereferenced: "CFA read from memory"
        case .program: "computed by a program"
        case .endOfStack: "end of stack"
        case .unsupported(let reason): "unsupported: \(reason.text)"
        case .noInformation: "no information"
        }
    }

    /// A stable, machine-readable name.
    package var name: String {
        switch self {
        case .stackPointer: "stack-pointer"
        case .framePointer: "frame-pointer"
        case .otherRegister: "other-register"
        case .dereferenced: "dereferenced"
        case .program: "program"
        case .endOfStack: "end-of-stack"
        case .unsupported(let reason): "unsupported-\(reason.name)"
        case .noInformation: "no-information"
        }
    }

    private var order: UInt32 {
        switch self {
        case .stackPointer: 0
        case .framePointer: 1
        case .otherRegister: 2
        case .dereferenced: 3
        case .program: 4
        case .endOfStack: 5
        case .unsupported(let reason): 6 + reason.rawValue
        case .noInformation: .max
        }
    }

    package static func < (left: RuleClass, right: RuleClass) -> Bool { left.order < right.order }
}
