import CUnwindTable
import CallFrameInfo

/// Finds the number of a row's rule by the row's own words, without lowering it again.
///
/// Direct mapped and small enough for the first-level data cache: a few dozen states make up nearly all rows.
struct RuleCache<A: Architecture>: ~Copyable {
    struct Entry: BitwiseCopyable {
        var cfa: UInt64
        var framePointer: UInt64
        var returnAddress: UInt64
        var stackPointer: UInt64
        var signingState: UInt32
        var number: UInt16
        /// What kind of FDE the row was of; 0 in an empty entry.
        var tag: UInt16
    }

    static var size: Int { 512 }
    let entries: UnsafeMutablePointer<Entry>

    init() {
        entries = .allocate(capacity: Self.size)
        removeAll()
    }

    deinit { entries.deallocate() }

    func removeAll() {
        let empty = Entry(
            cfa: 0, framePointer: 0, returnAddress: 0, stackPointer: 0, signingState: 0, number: 0, tag: 0)
        entries.initialize(repeating: empty, count: Self.size)
    }

    /// The CFA rule in one word: 16 bits of kind and register, 48 of operand. All ones, which no entry has,
    /// where that is too little.
    @inline(__always)
    static func packed(_ cfa: CFARule) -> UInt64 {
        let operand = cfa.operand &<< 16
        return operand &>> 16 == cfa.operand && cfa.base < 0xffff ? UInt64(bitPattern: operand) | cfa.base : .max
    }

    /// The place for a state; the index is below `size` because the hash keeps only its top nine bits.
    @inline(__always)
    func place(of state: UnsafePointer<FrameState<TrackedRegisters<A>>>, cfa: UInt64) -> UnsafeMutablePointer<Entry> {
        var hash = cfa ^ state.pointee.columns.framePointer.bits &<< 33 ^ state.pointee.columns.returnAddress.bits &<< 43
        if A.signingStateColumn != nil { hash ^= state.pointee.columns.signingState.bits &<< 31 }
        hash &*= 0x9e37_79b9_7f4a_7c15
        return entries + Int(hash &>> 55)
    }

    @inline(__always)
    func holds(
        _ place: UnsafeMutablePointer<Entry>, _ state: UnsafePointer<FrameState<TrackedRegisters<A>>>, cfa: UInt64,
        tag: UInt16
    ) -> Bool {
        let columns = state.pointee.columns
        var differences = (place.pointee.cfa ^ cfa) | (place.pointee.framePointer ^ columns.framePointer.bits)
            | (place.pointee.returnAddress ^ columns.returnAddress.bits)
            | (place.pointee.stackPointer ^ columns.stackPointer.bits)
        if A.signingStateColumn != nil {
            differences |= UInt64(place.pointee.signingState) ^ columns.signingState.bits
        }
        return differences | UInt64(place.pointee.tag ^ tag) == 0
    }

    /// Keeps a state's number, if an entry can tell the state from all others.
    func keep(
        _ number: UInt16, at place: UnsafeMutablePointer<Entry>,
        _ state: UnsafePointer<FrameState<TrackedRegisters<A>>>, cfa: UInt64, tag: UInt16
    ) {
        let columns = state.pointee.columns
        guard cfa != .max, let signingState = UInt32(exactly: columns.signingState.bits) else { return }
        place.pointee = Entry(
            cfa: cfa, framePointer: columns.framePointer.bits, returnAddress: columns.returnAddress.bits,
            stackPointer: columns.stackPointer.bits, signingState: signingState, number: number, tag: tag)
    }
}
