import CUnwindTable
import CallFrameInfo
import UnwindTable

/// The distinct rules of a chunk, numbered in order of first use. Number 0 is "no information".
struct RuleSet {
    private(set) var rules: [Rule] = []
    var programs = ProgramList()
    private var numbers: [Rule: UInt16] = [:]

    init() { removeAll() }

    mutating func removeAll() {
        rules.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
        programs.removeAll()
        _ = number(of: .unknown(.noInformation))
    }

    /// Whether no further rule fits, so that one may have been left out.
    var isFull: Bool { rules.count >= CFIC_RULES_MAX - 1 }

    /// The rule's number. A table has at most 65,536 rules; the last number is reserved for the reason that there are
    /// too many.
    mutating func number(of rule: Rule) -> UInt16 {
        if let known = numbers[rule] { return known }
        let isFull = isFull
        let new = isFull ? .unknown(Reason(CFIC_REASON_TOO_MANY_RULES)) : rule
        if isFull, let known = numbers[new] { return known }
        let number = UInt16(truncatingIfNeeded: rules.count)
        rules.append(new)
        numbers[new] = number
        return number
    }
}
