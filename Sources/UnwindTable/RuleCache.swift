import CUnwindTable
import CallFrameInfo

/// Finds the number of a row's rule by the row's own words, without lowering it again.
///
/// Rows of one function differ mostly in the CFA's offset. So the columns are interned as a context, whose
/// number the columns then carry until one of them changes; and a context has a place for every usual CFA.
/// A row so costs a few instructions, and a change of columns a probe of a small direct-mapped cache.
struct RuleCache<A: Architecture>: ~Copyable {
    /// What makes a context: the columns, and the kind of FDE that they are of.
    struct Context: Hashable, BitwiseCopyable {
        var framePointer: UInt64
        var returnAddress: UInt64
        var stackPointer: UInt64
        var signingState: UInt64
        var tag: UInt64

        @inline(__always)
        init(_ columns: TrackedRegisters<A>, tag: UInt16) {
            framePointer = columns.framePointer.bits
            returnAddress = columns.returnAddress.bits
            stackPointer = columns.stackPointer.bits
            signingState = A.signingStateColumn == nil ? 0 : columns.signingState.bits
            self.tag = UInt64(tag)
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

    /// CFA offsets 0, 8 ... 4,088 from stack pointer and from frame pointer: 2 KiB a context.
    private static var offsets: Int { 512 }
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

    /// The number of the state's context; 0 when there are too many.
    @inline(__always)
    mutating func context(of columns: TrackedRegisters<A>, tag: UInt16) -> UInt32 {
        let context = Context(columns, tag: tag)
        let place = recent + context.place
        if place.pointee.number != 0, place.pointee.context == context { return place.pointee.number }
        return intern(context, place)
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

    /// The rule number kept for a CFA in a context; nil if none is.
    @inline(__always)
    func number(_ cfa: CFARule, context: UInt32) -> UInt16? {
        let number: UInt16
        if let slot = Self.slot(cfa, context) {
            // Below the count: each context up to this one has its slots, and context 0 too.
            number = slots.elements[slot]
        } else {
            let entry = unusual[Self.unusualPlace(cfa, context)]
            guard entry.base == cfa.base, entry.operand == cfa.operand, entry.context == context else { return nil }
            number = entry.number
        }
        return number == Self.unknown ? nil : number
    }

    /// Keeps the rule number of a CFA in an interned context.
    func keep(_ number: UInt16, for cfa: CFARule, context: UInt32) {
        guard context != 0, number != Self.unknown else { return }
        if let slot = Self.slot(cfa, context) {
            slots.elements[slot] = number
        } else {
            unusual[Self.unusualPlace(cfa, context)] = Unusual(
                base: cfa.base, operand: cfa.operand, context: context, number: number)
        }
    }

    @inline(__always)
    private static func slot(_ cfa: CFARule, _ context: UInt32) -> Int? {
        let half: Int
        if cfa.base == CFARule.base(of: A.stackPointer) {
            half = 0
        } else if cfa.base == CFARule.base(of: A.framePointer) {
            half = offsets
        } else {
            return nil
        }
        // A multiple of 8 from 0 to 4,088: no other bit is set.
        guard cfa.operand & ~0xff8 == 0 else { return nil }
        return Int(context) &* slotCount &+ half &+ Int(cfa.operand &>> 3)
    }

    /// An index below `unusualCount`: the hash keeps only its top eight bits.
    private static func unusualPlace(_ cfa: CFARule, _ context: UInt32) -> Int {
        let words = UInt64(bitPattern: cfa.operand) &+ cfa.base &<< 40 ^ UInt64(context) &<< 48
        return Int((words &* 0x9e37_79b9_7f4a_7c15) &>> 56)
    }
}
