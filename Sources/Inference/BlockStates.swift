import CallFrameInfo

/// The states at the starts of a function's blocks, and the blocks still to be walked.
///
/// Offsets are those of `FunctionParts`. A state only loses facts, so that walking ends.
struct BlockStates: ~Copyable {
    /// What arriving at a block did.
    enum Arrival: Equatable {
        /// The block's state is known; if it changed, the block will be walked.
        case joined
        /// Stack depths differ, and one of the paths comes straight from this call, which therefore doesn't return.
        case contradicts(call: Int)
    }

    static var none: UInt32 { .max }

    /// By offset: where the state of the block that starts there is in `words`.
    private var places = GrowableBuffer<UInt32>()
    /// By offset of an instruction: the start of the block in which it was walked.
    private var owners = GrowableBuffer<UInt32>()
    /// By offset: whether a block starts there.
    private var leaders = GrowableBuffer<UInt8>()
    /// For each block the offset that it was first reached from, plus 1, in the upper 32 bits, and that of the call right in
    /// front of it, plus 1, if all paths come from that, in the lower ones; then the state.
    private var words = GrowableBuffer<UInt64>()
    private var waiting = GrowableBuffer<UInt32>()
    /// Starts of blocks, in the order of discovery.
    private(set) var starts = GrowableBuffer<UInt32>()

    /// The size of all states.
    var wordCount: Int { words.count }

    /// Forgets all states, and has room for offsets below `size`.
    mutating func reset(size: Int, keepsLeaders: Bool) {
        let known = keepsLeaders ? leaders.count : 0
        Self.fill(&places, with: Self.none, from: 0, size: size)
        Self.fill(&owners, with: Self.none, from: 0, size: size)
        Self.fill(&leaders, with: 0, from: known, size: size)
        words.removeAll()
        waiting.removeAll()
        starts.removeAll()
    }

    /// Makes room for a further part.
    mutating func extend(to size: Int) {
        Self.fill(&places, with: Self.none, from: places.count, size: size)
        Self.fill(&owners, with: Self.none, from: owners.count, size: size)
        Self.fill(&leaders, with: 0, from: leaders.count, size: size)
    }

    private static func fill<Element>(
        _ buffer: inout GrowableBuffer<Element>, with element: Element, from start: Int, size: Int
    ) {
        buffer.reserveCapacity(size)
        buffer.setCount(size)
        guard start < size else { return }
        buffer.elements[start...].update(repeating: element)
    }

    func isLeader(_ offset: Int) -> Bool { leaders.elements[offset] != 0 }
    mutating func setLeader(_ offset: Int) { leaders.elements[offset] = 1 }
    /// Notes in which block an instruction was walked.
    func setOwner(_ offset: Int, _ block: Int) { owners.elements[offset] = UInt32(truncatingIfNeeded: block) }

    /// The state at the start of a block that was reached. Valid until the next arrival.
    func state(at block: Int) -> SymbolicState {
        SymbolicState(words: words.elements.baseAddress.unsafelyUnwrapped + Int(places.elements[block]) + 1)
    }

    /// The offset of the instruction that a block was first reached from; nil for the function's entry.
    func origin(of block: Int) -> Int? {
        let origin = words.elements[Int(places.elements[block])] >> 32
        return origin == 0 ? nil : Int(origin) - 1
    }

    /// The next block to be walked.
    mutating func next() -> Int? {
        let count = waiting.count
        guard count > 0 else { return nil }
        let block = waiting.elements[count - 1]
        waiting.setCount(count - 1)
        return Int(block)
    }

    /// A path arrives at an offset.
    ///
    /// - Parameters:
    ///   - offset: where it arrives.
    ///   - state: what holds on the path.
    ///   - origin: offset of the last instruction on the path; nil at the function's entry.
    ///   - call: offset of the call right in front of it on this path, if there is one.
    mutating func arrive(at offset: Int, _ state: SymbolicState, from origin: Int?, call: Int?) -> Arrival {
        if leaders.elements[offset] == 0 {
            leaders.elements[offset] = 1
            // The block that went across here is walked again, and will end here.
            let owner = owners.elements[offset]
            if owner != Self.none { waiting.append(owner) }
        }
        let header = (origin.map { UInt64($0) + 1 } ?? 0) << 32 | (call.map { UInt64($0) + 1 } ?? 0)
        let place = places.elements[offset]
        guard place != Self.none else {
            places.elements[offset] = UInt32(words.count)
            words.append(header)
            words.append(contentsOf: UnsafeMutableBufferPointer(start: state.words, count: state.count))
            waiting.append(UInt32(offset))
            starts.append(UInt32(offset))
            return .joined
        }
        let known = SymbolicState(words: words.elements.baseAddress.unsafelyUnwrapped + Int(place) + 1)
        let (old, new) = (known[SymbolicState.stackPointer], state[SymbolicState.stackPointer])
        if old != new, old.isStack, new.isStack {
            if let call { return .contradicts(call: call) }
            let call = words.elements[Int(place)] & 0xffff_ffff
            if call != 0 { return .contradicts(call: Int(call) - 1) }
        }
        if call == nil, old == new { words.elements[Int(place)] &= ~0xffff_ffff }
        if known.join(state) { waiting.append(UInt32(offset)) }
        return .joined
    }
}
