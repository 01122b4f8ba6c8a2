import CUnwindTable
import CallFrameInfo

/// The distinct rules of a part of a table, numbered in order of first use; number 0 is "no information".
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

    /// Whether a further rule may have been left out.
    var isFull: Bool { rules.count >= CFIC_RULES_MAX - 1 }

    /// The rule's number. A table has 65,536 at most; the last number is kept for the reason that says so.
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

/// Finds the number of a row's rule by the row's own words, without lowering it again.
///
/// Direct mapped: a few dozen states make up nearly all rows of a page.
struct RuleCache<A: Architecture>: ~Copyable {
    struct Entry: BitwiseCopyable {
        var cfaBase: UInt64
        var cfaOperand: Int64
        var framePointer: UInt64
        var returnAddress: UInt64
        var stackPointer: UInt64
        var signingState: UInt64
        var number: UInt16
        /// What kind of FDE the row was of; 0 in an empty entry.
        var tag: UInt16
    }

    static var size: Int { 1024 }
    let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: Self.size)
        removeAll()
    }

    deinit { entries.deallocate() }

    func removeAll() {
        let empty = Entry(
            cfaBase: 0, cfaOperand: 0, framePointer: 0, returnAddress: 0, stackPointer: 0, signingState: 0,
            number: 0, tag: 0)
        entries.initialize(repeating: empty, count: Self.size)
    }

    /// The place for a state; the index is below `size` because the hash keeps only its top ten bits.
    @inline(__always)
    func place(of state: UnsafePointer<FrameState<TrackedRegisters<A>>>) -> UnsafeMutablePointer<Entry> {
        var hash = UInt64(bitPattern: state.pointee.cfa.operand) &+ state.pointee.cfa.base &<< 24
        hash ^= state.pointee.columns.framePointer.bits &<< 13 ^ state.pointee.columns.returnAddress.bits &<< 37
        if A.signingStateColumn != nil { hash ^= state.pointee.columns.signingState.bits &<< 47 }
        hash &*= 0x9e37_79b9_7f4a_7c15
        return entries + Int(hash &>> 54)
    }
}

extension RuleCache.Entry {
    @inline(__always)
    func holds(_ state: UnsafePointer<FrameState<TrackedRegisters<A>>>) -> Bool {
        let differences = cfaBase ^ state.pointee.cfa.base | UInt64(bitPattern: cfaOperand ^ state.pointee.cfa.operand)
            | framePointer ^ state.pointee.columns.framePointer.bits | returnAddress ^ state.pointee.columns.returnAddress.bits
            | stackPointer ^ state.pointee.columns.stackPointer.bits | signingState ^ state.pointee.columns.signingState.bits
        return differences == 0
    }

    init(_ state: UnsafePointer<FrameState<TrackedRegisters<A>>>, number: UInt16, tag: UInt16) {
        cfaBase = state.pointee.cfa.base
        cfaOperand = state.pointee.cfa.operand
        framePointer = state.pointee.columns.framePointer.bits
        returnAddress = state.pointee.columns.returnAddress.bits
        stackPointer = state.pointee.columns.stackPointer.bits
        signingState = state.pointee.columns.signingState.bits
        self.number = number
        self.tag = tag
    }
}
