/// What is known about registers and stack slots before an instruction.
///
/// A pointer to words that somebody else owns: a value for each of the 16 general purpose registers, by DWARF's numbers,
/// the number of slots, and for each slot its address and what its 8 bytes hold. Slots are sorted by nothing, and none
/// holds `unknown`. An empty place for slots is left unwritten.
public struct SymbolicState {
    let words: UnsafeMutablePointer<UInt64>

    static var registerCount: Int { 16 }
    static var slotStart: Int { registerCount + 1 }
    /// A further slot is forgotten. Only addresses in the stack and registers' initial values are kept in slots.
    static var slotLimit: Int { 64 }
    /// The largest size, in words.
    static var capacity: Int { slotStart + 2 * slotLimit }

    static var accumulator: UInt8 { 0 }
    static var framePointer: UInt8 { 6 }
    static var stackPointer: UInt8 { 7 }
    static var returnAddress: UInt8 { 16 }

    /// The size in use, in words.
    var count: Int { Self.slotStart + 2 * slotCount }

    var slotCount: Int {
        get { Int(truncatingIfNeeded: words[Self.registerCount]) }
        nonmutating set { words[Self.registerCount] = UInt64(newValue) }
    }

    /// Copies another state.
    func take(_ other: SymbolicState) { words.update(from: other.words, count: other.count) }

    // MARK: Registers and slots

    /// A register's value, by DWARF's number, below 16.
    public subscript(register: UInt8) -> SymbolicValue {
        get { SymbolicValue(bits: words[Int(register & 15)]) }
        nonmutating set { words[Int(register & 15)] = newValue.bits }
    }

    func address(ofSlot index: Int) -> SymbolicValue { SymbolicValue(bits: words[Self.slotStart &+ 2 &* index]) }
    func value(ofSlot index: Int) -> SymbolicValue { SymbolicValue(bits: words[Self.slotStart &+ 2 &* index &+ 1]) }

    /// What the 8 bytes at an address hold; unknown unless it is a slot's address.
    public func loaded(from address: SymbolicValue) -> SymbolicValue {
        guard address.isStack else { return .unknown }
        for index in 0..<slotCount where self.address(ofSlot: index) == address { return value(ofSlot: index) }
        return .unknown
    }

    func store(_ value: SymbolicValue, at address: SymbolicValue) {
        forget(8, at: address)
        guard address.isStack, value.isStack || value.kind == .initial, slotCount < Self.slotLimit else { return }
        words[Self.slotStart &+ 2 &* slotCount] = address.bits
        words[Self.slotStart &+ 2 &* slotCount &+ 1] = value.bits
        slotCount += 1
    }

    /// Forgets the slots that overlap `size` bytes at an address. An address elsewhere, or unknown, changes no slot.
    func forget(_ size: Int64, at address: SymbolicValue) {
        guard address.isStack else { return }
        removeSlots {
            $0.qualifier == address.qualifier && $0.number < address.number &+ size
                && $0.number &+ 8 > address.number
        }
    }

    /// Forgets the slots whose addresses meet a condition.
    func removeSlots(where condition: (SymbolicValue) -> Bool) {
        var index = 0
        while index < slotCount {
            if condition(address(ofSlot: index)) { removeSlot(index) } else { index += 1 }
        }
    }

    private func removeSlot(_ index: Int) {
        let last = slotCount - 1
        words[Self.slotStart &+ 2 &* index] = words[Self.slotStart &+ 2 &* last]
        words[Self.slotStart &+ 2 &* index &+ 1] = words[Self.slotStart &+ 2 &* last &+ 1]
        slotCount = last
    }

    // MARK: Paths that meet

    /// Keeps what is the same in another state. Returns whether anything was lost.
    func join(_ other: SymbolicState) -> Bool {
        var hasChanged = false
        for register in 0..<Self.registerCount where words[register] != other.words[register] && words[register] != 0 {
            words[register] = 0
            hasChanged = true
        }
        var index = 0
        while index < slotCount {
            if other.loaded(from: address(ofSlot: index)) == value(ofSlot: index) {
                index += 1
            } else {
                removeSlot(index)
                hasChanged = true
            }
        }
        return hasChanged
    }

    // MARK: Entry and exit

    /// The state at a function's entry (System V ABI, 3.2): the return address is on top of the stack.
    func enter() {
        for register in 0..<UInt8(Self.registerCount) {
            // Arguments, and whatever else there is: values that are the same as long as nothing writes them.
            self[register] = SymbolicValue(.defined, 8, -1 - Int64(register))
        }
        for register: UInt8 in [3, 6, 12, 13, 14, 15] { self[register] = .initial(register) }
        self[Self.stackPointer] = .cfa(-8)
        slotCount = 0
        store(.initial(Self.returnAddress), at: .cfa(-8))
    }

    /// Whether the stack and the frame pointer are as at the entry, as a return or a tail call leaves them. A state in which
    /// the return address was overwritten has no rule, and so is found out before.
    var isBalanced: Bool {
        self[Self.stackPointer] == .cfa(-8) && self[Self.framePointer] == .initial(Self.framePointer)
    }
}
