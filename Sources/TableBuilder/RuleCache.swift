import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Where `RuleCache` keeps the rule numbers of rows with the same columns and the same CFA register: a context, and in
/// it the first slot for that register.
///
/// | context | first slot | meaning |
/// |---|---|---|
/// | 0 | `unknownSlot` | the columns were not interned, or there are too many contexts |
/// | 1… | `unknownSlot` | the CFA register changed since the context was interned |
/// | 1… | 0 | the CFA is no register that has slots; slots from 0 on belong to no context and stay empty |
/// | 1… | 1,024… | the slots of stack pointer or frame pointer |
struct ContextSlots: Equatable, BitwiseCopyable {
    /// The context's number in the upper half, the index of the first slot in the lower.
    var bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    static var unknownSlot: UInt64 { 0xffff_ffff }
    static var unknown: ContextSlots { ContextSlots(bits: unknownSlot) }

    /// The same context, to be used when the CFA register changes.
    var withoutSlots: ContextSlots { ContextSlots(bits: bits | Self.unknownSlot) }

    /// Whether the first slot is known.
    @inline(__always) var hasSlots: Bool { bits & Self.unknownSlot != Self.unknownSlot }

    var context: UInt32 { UInt32(truncatingIfNeeded: bits &>> 32) }
    @inline(__always) var firstSlot: Int { Int(bits & Self.unknownSlot) }

    init(context: UInt32, firstSlot: Int) {
        bits = UInt64(context) << 32 | UInt64(firstSlot)
    }
}

/// Finds the number of a row's rule without lowering the row again.
///
/// Rows of one function differ mostly in the CFA's offset. The columns are therefore interned as a context, which has a
/// slot for each usual CFA. The columns carry the index of the first slot for the CFA's register (`ContextSlots`) until
/// one of them, or that register, changes. A row thus costs a few instructions, and a change costs a probe of a small
/// direct-mapped cache.
struct RuleCache<A: Architecture>: ~Copyable {
    /// The columns, and the tag of their CIE: see `LoweringSink.tag`.
    struct Context: Hashable, BitwiseCopyable {
        var framePointer: UInt64
        var returnAddress: UInt64
        var stackPointer: UInt64
        var signingState: UInt64
        var tag: UInt64

        @inline(__always)
        init(_ columns: TrackedRegisters<A>, tag: UInt64) {
            framePointer = columns.framePointer.bits
            returnAddress = columns.returnAddress.bits
            stackPointer = columns.stackPointer.bits
            signingState = A.signingStateColumn == nil ? 0 : columns.signingState.bits
            self.tag = tag
        }

        @inline(__always)
        static func == (left: Context, right: Context) -> Bool {
            (left.framePointer ^ right.framePointer) | (left.returnAddress ^ right.returnAddress)
                | (left.stackPointer ^ right.stackPointer) | (left.signingState ^ right.signingState)
                | (left.tag ^ right.tag) == 0
        }

        /// A slot of `recent`, below `recentCount`: the top eight bits of the hash.
        @inline(__always)
        var recentSlot: Int {
            var hash = framePointer ^ returnAddress &<< 23 ^ signingState &<< 41 ^ stackPointer &<< 7 ^ tag &<< 53
            hash &*= 0x9e37_79b9_7f4a_7c15
            return Int(hash &>> 56)
        }
    }

    /// An interned context in the direct-mapped cache.
    private struct Recent: BitwiseCopyable {
        var context: Context
        /// 0 in an empty entry.
        var number: UInt32
    }

    /// The rule number of a row whose CFA has no slot.
    private struct Unusual: BitwiseCopyable {
        var base: UInt64
        var operand: Int64
        var context: UInt32
        /// `notLowered` in an empty entry.
        var number: UInt16
    }

    /// Slots of one CFA register: one for each usual CFA offset, 0, 8 … 4,088.
    private static var offsets: Int { UsualOffsets.wordLimit }
    /// Slots of a context, first the stack pointer's, then the frame pointer's: 2 KiB.
    private static var slotCount: Int { 2 * offsets }
    /// Real files have a few dozen contexts. Rows with further contexts, in hostile files, are lowered one by one.
    private static var contextLimit: Int { 4096 }
    private static var recentCount: Int { 256 }
    private static var unusualCount: Int { 256 }
    /// In place of a rule number: the row hasn't been lowered yet. The rule with this number is never cached.
    private static var notLowered: UInt16 { .max }

    private var slots = GrowableBuffer<UInt16>()
    private var numbers: [Context: UInt32] = [:]
    private let recent: UnsafeMutablePointer<Recent>
    private let unusual: UnsafeMutablePointer<Unusual>

    init() {
        recent = .allocate(capacity: Self.recentCount)
        unusual = .allocate(capacity: Self.unusualCount)
        removeAll()
    }

    deinit {
        recent.deallocate()
        unusual.deallocate()
    }

    mutating func removeAll() {
        // Context 0 means "not interned". Its slots stay empty.
        slots.removeAll()
        appendSlots()
        numbers.removeAll(keepingCapacity: true)
        let context = Context(TrackedRegisters(returnAddressColumn: 0), tag: 0)
        recent.initialize(repeating: Recent(context: context, number: 0), count: Self.recentCount)
        let empty = Unusual(base: 0, operand: 0, context: 0, number: Self.notLowered)
        unusual.initialize(repeating: empty, count: Self.unusualCount)
    }

    private mutating func appendSlots() {
        let start = slots.count
        slots.reserveCapacity(start + Self.slotCount)
        slots.setCount(start + Self.slotCount)
        UnsafeMutableBufferPointer(rebasing: slots.elements[start...]).update(repeating: Self.notLowered)
    }

    /// Interns the state's columns if necessary, and finds the slots of its CFA register. `unknown` if there are too
    /// many contexts.
    @inline(__always)
    mutating func contextSlots(
        of state: UnsafePointer<FrameState<TrackedRegisters<A>>>, tag: UInt64
    ) -> ContextSlots {
        var number = state.pointee.columns.contextSlots.context
        if number == 0 {
            let context = Context(state.pointee.columns, tag: tag)
            let recent = recent + context.recentSlot
            let isRecent = recent.pointee.number != 0 && recent.pointee.context == context
            number = isRecent ? recent.pointee.number : intern(context, recent)
            if number == 0 { return .unknown }
        }
        let start = Int(number) &* Self.slotCount
        if state.pointee.cfa.base == CFARule.base(of: A.stackPointer) {
            return ContextSlots(context: number, firstSlot: start)
        }
        if state.pointee.cfa.base == CFARule.base(of: A.framePointer) {
            return ContextSlots(context: number, firstSlot: start &+ Self.offsets)
        }
        // Context 0's slots, which are empty.
        return ContextSlots(context: number, firstSlot: 0)
    }

    @inline(never)
    private mutating func intern(_ context: Context, _ recent: UnsafeMutablePointer<Recent>) -> UInt32 {
        if let known = numbers[context] {
            recent.pointee = Recent(context: context, number: known)
            return known
        }
        guard numbers.count < Self.contextLimit else { return 0 }
        let number = UInt32(numbers.count + 1)
        numbers[context] = number
        appendSlots()
        recent.pointee = Recent(context: context, number: number)
        return number
    }

    /// The slots of one context and CFA register. Valid until another context is interned.
    struct Slots {
        /// The first of `offsets` slots.
        fileprivate let first: UnsafePointer<UInt16>

        /// The rule number of a usual CFA offset; nil if no row with it was lowered.
        ///
        /// - Parameter words: the offset in words of 8 bytes, from `UsualOffsets.words`, so that it has a slot.
        @inline(__always)
        func number(_ words: Int) -> UInt16? {
            let number = first[words]
            return number == RuleCache.notLowered ? nil : number
        }
    }

    @inline(__always)
    func slots(at position: ContextSlots) -> Slots {
        // In bounds: all contexts up to this one have slots. If the first slot isn't known, the empty ones of context
        // 0.
        Slots(
            first: UnsafePointer(
                slots.elements.baseAddress.unsafelyUnwrapped + (position.hasSlots ? position.firstSlot : 0)))
    }

    /// The cached rule number of a CFA that has no slot; nil if there is none.
    func unusualNumber(_ cfa: CFARule, context: UInt32) -> UInt16? {
        let entry = unusual[Self.unusualSlot(cfa, context)]
        guard entry.base == cfa.base, entry.operand == cfa.operand, entry.context == context else { return nil }
        return entry.number == Self.notLowered ? nil : entry.number
    }

    /// Caches the rule number of a CFA, if its context is interned.
    func keep(_ number: UInt16, for cfa: CFARule, at position: ContextSlots) {
        guard position.context != 0, number != Self.notLowered else { return }
        if position.firstSlot != 0, let words = UsualOffsets.words(cfa.operand) {
            slots.elements[position.firstSlot + words] = number
        } else {
            unusual[Self.unusualSlot(cfa, position.context)] = Unusual(
                base: cfa.base, operand: cfa.operand, context: position.context, number: number)
        }
    }

    /// A slot of `unusual`, below `unusualCount`: the top eight bits of the hash.
    private static func unusualSlot(_ cfa: CFARule, _ context: UInt32) -> Int {
        let words = UInt64(bitPattern: cfa.operand) &+ cfa.base &<< 40 ^ UInt64(context) &<< 48
        return Int((words &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }
}
