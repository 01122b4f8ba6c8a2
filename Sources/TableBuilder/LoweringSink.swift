import CUnwindTable
import CallFrameInfo
import UnwindTable

/// A row with its rule's number.
struct LoweredRow: BitwiseCopyable {
    var address: UInt64
    var rule: UInt16
}

/// Receives the interpreter's rows, finds each row's rule number and appends it to the pages, or to a list if only a
/// part of the FDE's addresses is needed.
struct LoweringSink<A: Architecture>: RowSink, ~Copyable {
    var ruleSet = RuleSet()
    private var cache = RuleCache<A>()
    var drafts = PageDrafts<A>()
    /// Number of rows received so far, before merging.
    var rowCount = 0
    /// Whether rows go to `collected` instead of the pages.
    var isCollecting = false
    var collected = GrowableBuffer<LoweredRow>()
    /// Whether a row's address was not a multiple of the pc unit. The FDE's rules are unknown from there on.
    var isMisaligned = false

    /// Lowers the rows of the current CIE's FDEs.
    private(set) var lowering: Lowering<A>?
    /// Part of the cache's key: differs between CIEs whose equal rows may lower to different rules. 0: no CIE yet.
    private(set) var tag: UInt64 = 0

    /// Prepares for the next image.
    mutating func reset() {
        drafts.reset(ruleCount: ruleSet.rules.count)
        ruleSet.removeAll()
        cache.removeAll()
        lowering = nil
        tag = 0
        isCollecting = false
        rowCount = 0
    }

    mutating func use(_ lowering: Lowering<A>, tag: UInt64) {
        self.lowering = lowering
        self.tag = tag
    }

    @inline(__always)
    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>) {
        rowCount &+= 1
        let position = contextSlots(of: state)
        let words = UsualOffsets.words(state.pointee.cfa.operand)
        var number = words.flatMap { cache.slots(at: position).number($0) } ?? otherNumber(state, position)
        if A.pcShift != 0, isMisaligned || location & (1 &<< UInt64(A.pcShift) &- 1) != 0 {
            isMisaligned = true
            number = self.number(of: CFIC_REASON_MISALIGNED_ADDRESS)
        }
        append(location, rule: number)
    }

    @inline(__always)
    private mutating func contextSlots(
        of state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>
    ) -> ContextSlots {
        let known = state.pointee.columns.contextSlots
        if known.hasSlots { return known }
        let found = cache.contextSlots(of: state, tag: tag)
        state.pointee.columns.contextSlots = found
        return found
    }

    /// Finds rows' rules in the slots of one context and CFA register, and appends the rows to the current page.
    struct OffsetWriter: OffsetRowWriter {
        fileprivate var slots: RuleCache<A>.Slots
        fileprivate var page: PageDrafts<A>.Writer

        @inline(__always)
        var stop: UInt64 { page.stop }

        @inline(__always)
        mutating func append(_ location: UInt64, cfaWords: Int) -> Bool {
            if A.pcShift != 0, location & (1 &<< UInt64(A.pcShift) &- 1) != 0 { return false }
            guard let number = slots.number(cfaWords) else { return false }
            page.append(location, rule: number)
            return true
        }
    }

    @inline(__always)
    mutating func offsetWriter(
        at location: UInt64, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>
    ) -> OffsetWriter? {
        guard !isCollecting, A.pcShift == 0 || !isMisaligned, let page = drafts.writer(at: location) else { return nil }
        return OffsetWriter(slots: cache.slots(at: contextSlots(of: state)), page: page)
    }

    @inline(__always)
    mutating func aimed(
        _ writer: OffsetWriter, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>
    ) -> OffsetWriter {
        OffsetWriter(slots: slots(for: state), page: writer.page)
    }

    @inline(never)
    private mutating func slots(
        for state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>
    ) -> RuleCache<A>.Slots { cache.slots(at: contextSlots(of: state)) }

    @inline(__always)
    mutating func takeBack(_ writer: OffsetWriter) {
        rowCount &+= drafts.takeBack(writer.page)
    }

    @inline(__always)
    mutating func append(_ location: UInt64, rule: UInt16) {
        if isCollecting {
            collected.append(LoweredRow(address: location, rule: rule))
        } else {
            drafts.append(location, rule: rule)
        }
    }

    /// Interns the initial state of a CIE's FDEs, so that not every FDE has to.
    mutating func intern(_ state: inout FrameState<TrackedRegisters<A>>) {
        state.columns.contextSlots = cache.contextSlots(of: &state, tag: tag)
    }

    mutating func number(of reason: cfic_reason) -> UInt16 { number(of: .unknown(Reason(reason))) }

    private mutating func number(of rule: Rule) -> UInt16 {
        let number = ruleSet.number(of: rule)
        // A full rule set may have returned the number of a reason instead of the rule's.
        if number != 0, ruleSet.rules[Int(number)].reason != nil { drafts.noteUnknown(number) }
        return number
    }

    /// The rule number of a row whose CFA has no slot, or that hasn't been lowered yet.
    @inline(never)
    private mutating func otherNumber(
        _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>, _ position: ContextSlots
    ) -> UInt16 {
        if let known = cache.unusualNumber(state.pointee.cfa, context: position.context) { return known }
        guard let lowering else { return 0 }
        let rule = lowering.rule(for: state.pointee, programs: &ruleSet.programs)
        let number = number(of: rule)
        cache.keep(number, for: state.pointee.cfa, at: position)
        return number
    }
}
