import CUnwindTable
import CallFrameInfo

/// A row with its rule's number.
struct LoweredRow: BitwiseCopyable {
    var address: UInt64
    var rule: UInt16
}

/// Takes the interpreter's rows, lowers each and passes it on: to pages, or to a list where only a part of
/// an FDE counts.
struct LoweringSink<A: Architecture>: RowSink, ~Copyable {
    var ruleSet = RuleSet()
    private var cache = RuleCache<A>()
    var drafts = PageDrafts<A>()
    /// Rows of the current FDE as the CFI has them.
    var rowCount = 0
    var isCollecting = false
    var collected = GrowableBuffer<LoweredRow>()
    /// A row's address was not a multiple of the pc unit: nothing behind it is known.
    var isMisaligned = false

    /// Lowers rows of FDEs of this kind, and what tells cached rules of different kinds apart.
    private(set) var lowering: Lowering<A>?
    private(set) var tag: UInt16 = 0

    /// Forgets the image before.
    mutating func reset() {
        ruleSet.removeAll()
        cache.removeAll()
        lowering = nil
        tag = 0
        isCollecting = false
    }

    mutating func use(_ lowering: Lowering<A>, tag: UInt16) {
        self.lowering = lowering
        self.tag = tag
    }

    @inline(__always)
    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>) {
        rowCount &+= 1
        var context = state.pointee.columns.context
        if context == 0 {
            context = cache.context(of: state.pointee.columns, tag: tag)
            state.pointee.columns.context = context
        }
        var number = cache.number(state.pointee.cfa, context: context) ?? lower(state, context)
        if A.pcShift != 0, isMisaligned || location & (1 &<< UInt64(A.pcShift) &- 1) != 0 {
            isMisaligned = true
            number = self.number(of: CFIC_REASON_MISALIGNED_ADDRESS)
        }
        append(location, rule: number)
    }

    @inline(__always)
    mutating func append(_ location: UInt64, rule: UInt16) {
        if isCollecting {
            collected.append(LoweredRow(address: location, rule: rule))
        } else {
            drafts.append(location, rule: rule)
        }
    }

    /// Interns the columns that a CIE's FDEs start with, so that not every FDE asks again.
    mutating func intern(_ columns: inout TrackedRegisters<A>) {
        columns.context = cache.context(of: columns, tag: tag)
    }

    mutating func number(of reason: cfic_reason) -> UInt16 {
        ruleSet.number(of: .unknown(Reason(reason)))
    }

    @inline(never)
    private mutating func lower(
        _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>, _ context: UInt32
    ) -> UInt16 {
        guard let lowering else { return 0 }
        let rule = lowering.rule(for: state.pointee, programs: &ruleSet.programs)
        let number = ruleSet.number(of: rule)
        cache.keep(number, for: state.pointee.cfa, context: context)
        return number
    }
}
