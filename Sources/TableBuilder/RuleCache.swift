import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Where the rules of rows with the same columns and the same CFA register are kept.
@usableFromInline
struct RulePlace: Equatable, BitwiseCopyable {
    /// The number of the context in the upper half, the first slot in the lower.
    @usableFromInline var bits: UInt64

    @inlinable init(bits: UInt64) { self.bits = bits }

    /// No context has number 0.
    @inlinable static var unknown: RulePlace { RulePlace(bits: 0xffff_ffff) }

    /// That of the same columns and another CFA register.
    @inlinable var withoutSlots: RulePlace { RulePlace(bits: bits | 0xffff_ffff) }

    /// Whether the first slot is known; it is below 2^32 - 1.
    @inline(__always) var hasSlots: Bool { bits & 0xffff_ffff != 0xffff_ffff }

    var context: UInt32 { UInt32(truncatingIfNeeded: bits &>> 32) }
    @inline(__always) var firstSlot: Int { Int(bits & 0xffff_ffff) }

    init(context: UInt32, firstSlot: Int) {
        bits = UInt64(context) << 32 | UInt64(firstSlot)
    }
}

/// Finds the number of a row's rule by the row's own words, without lowering it again.
///
/// Rows of one function differ mostly in the CFA's offset. So the columns are interned as a context, and a
/// context has a slot for every usual CFA; where the slots of the CFA's register begin is a place, which the
/// columns carry until one of them or the register changes. A row so costs a few instructions, and a change a
/// probe of a small direct-mapped cache.
struct RuleCache<A: Architecture>: ~Copyable {
    /// What makes a context: the columns, and the kind of FDE that they are of.
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

        /// An index below `recentCount`: the hash keeps only its top eight bits.
        @inline(__always)
        var place: Int {
            var hash = framePointer ^ returnAddress &<< 23 ^ signingState &<< 41 ^ stackPointer &<< 7 ^ tag &<< 53
            hash &*= 0x9e37_79b9_7f4a_7c15
            return Int(hash &>> 56)
        }
    }

    private struct Recent: BitwiseCopyable {
        var context: Context
        var number: UInt32
    }

    /// A CFA that no context has a place for.
    private struct Unusual: BitwiseCopyable {
        var base: UInt64
        var operand: Int64
        var context: UInt32
        /// `unknown` in an empty entry.
        var number: UInt16
    }

    /// The usual CFA offsets, 0, 8 ... 4,088, from stack pointer and from frame pointer: 2 KiB a context.
    private static var offsets: Int { UsualOffsets.wordLimit }
    private static var slotCount: Int { 2 * offsets }
    /// Real files have a few dozen. A hostile one has rows lowered one by one beyond that.
    private static var contextLimit: Int { 4096 }
    private static var recentCount: Int { 256 }
    private static var unusualCount: Int { 256 }
    /// Stands for "not lowered yet"; the rule of this number is never kept here.
    private static var unknown: UInt16 { .max }

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
        // Context 0 stands for "not interned"; its slots are never used.
        slots.removeAll()
        appendSlots()
        numbers.removeAll(keepingCapacity: true)
        let context = Context(TrackedRegisters(returnAddressColumn: 0), tag: 0)
        recent.initialize(repeating: Recent(context: context, number: 0), count: Self.recentCount)
        let empty = Unusual(base: 0, operand: 0, context: 0, number: Self.unknown)
        unusual.initialize(repeating: empty, count: Self.unusualCount)
    }

    private mutating func appendSlots() {
        let start = slots.count
        slots.reserveCapacity(start + Self.slotCount)
        slots.setCount(start + Self.slotCount)
        UnsafeMutableBufferPointer(rebasing: slots.elements[start...]).update(repeating: Self.unknown)
    }

    /// The state's place, which its columns don't have yet; unknown when there are too many contexts.
    @inline(__always)
    mutating func place(
        of state: UnsafePointer<FrameState<TrackedRegisters<A>>>, tag: UInt64
    ) -> RulePlace {
        var number = state.pointee.columns.place.context
        if number == 0 {
            let context = Context(state.pointee.columns, tag: tag)
            let recent = recent + context.place
            let isRecent = recent.pointee.number != 0 && recent.pointee.context == context
            number = isRecent ? recent.pointee.number : intern(context, recent)
            if number == 0 { return .unknown }
        }
        let start = Int(number) &* Self.slotCount
        if state.pointee.cfa.base == CFARule.base(of: A.stackPointer) {
            return RulePlace(context: number, firstSlot: start)
        }
        if state.pointee.cfa.base == CFARule.base(of: A.framePointer) {
            return RulePlace(context: number, firstSlot: start &+ Self.offsets)
        }
        // Context 0's slots, which stay empty.
        return RulePlace(context: number, firstSlot: 0)
    }

    @inline(never)
    private mutating func intern(_ context: Context, _ place: UnsafeMutablePointer<Recent>) -> UInt32 {
        if let known = numbers[context] {
            place.pointee = Recent(context: context, number: known)
            return known
        }
        guard numbers.count < Self.contextLimit else { return 0 }
        let number = UInt32(numbers.count + 1)
        numbers[context] = number
        appendSlots()
        place.pointee = Recent(context: context, number: number)
        return number
    }

    /// The slots of a place; valid until another place is asked for.
    struct Slots {
        /// `offsets` of them.
        fileprivate let first: UnsafePointer<UInt16>

        /// The rule number in the slot of a usual CFA offset, in words of 8 bytes; nil if there is none.
        @inline(__always)
        func number(_ words: Int) -> UInt16? {
            // There is a slot for each usual offset.
            let number = first[words]
            return number == RuleCache.unknown ? nil : number
        }
    }

    @inline(__always)
    func slots(at place: RulePlace) -> Slots {
        // Within the memory: each context up to this one has its slots, and context 0, whose are empty.
        Slots(
            first: UnsafePointer(
                slots.elements.baseAddress.unsafelyUnwrapped + (place.hasSlots ? place.firstSlot : 0)))
    }

    /// The rule number kept for a CFA that has no slot; nil if there is none.
    func unusualNumber(_ cfa: CFARule, at place: RulePlace) -> UInt16? {
        let entry = unusual[Self.unusualPlace(cfa, place.context)]
        guard entry.base == cfa.base, entry.operand == cfa.operand, entry.context == place.context else { return nil }
        return entry.number == Self.unknown ? nil : entry.number
    }

    /// Keeps the rule number of a CFA in an interned context.
    func keep(_ number: UInt16, for cfa: CFARule, at place: RulePlace) {
        guard place.context != 0, number != Self.unknown else { return }
        if place.firstSlot != 0, let slot = UsualOffsets.words(cfa.operand) {
            slots.elements[place.firstSlot + slot] = number
        } else {
            unusual[Self.unusualPlace(cfa, place.context)] = Unusual(
                base: cfa.base, operand: cfa.operand, context: place.context, number: number)
        }
    }

    /// An index below `unusualCount`: the hash keeps only its top eight bits.
    private static func unusualPlace(_ cfa: CFARule, _ context: UInt32) -> Int {
        let words = UInt64(bitPattern: cfa.operand) &+ cfa.base &<< 40 ^ UInt64(context) &<< 48
        return Int((words &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }
}
