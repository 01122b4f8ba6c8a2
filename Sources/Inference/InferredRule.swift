/// How to find a frame's caller, as instructions show it. The return address is always at CFA − 8.
public struct InferredRule: Equatable, Sendable {
    public enum CFA: Equatable, Sendable {
        /// register + offset
        case register(UInt8, offset: Int64)
        /// The word at register + displacement, plus an addend.
        case stored(UInt8, displacement: Int64, addend: Int64)
    }

    public enum FramePointer: Equatable, Sendable {
        /// The function may have changed it, and where the caller's is isn't known.
        case unknown
        /// The register still has the caller's value.
        case unchanged
        /// At CFA + offset.
        case saved(offset: Int64)
        /// At register + displacement.
        case stored(UInt8, displacement: Int64)
    }

    /// Registers have DWARF's numbers; offsets are in bytes.
    public var cfa: CFA
    public var framePointer: FramePointer

    public init(cfa: CFA, framePointer: FramePointer) {
        self.cfa = cfa
        self.framePointer = framePointer
    }

    /// The rule in a state; nil if nothing leads to the CFA, or the return address isn't where it was.
    init?(_ state: SymbolicState) {
        guard state.loaded(from: .cfa(-8)) == .initial(SymbolicState.returnAddress), let cfa = Self.cfa(state) else {
            return nil
        }
        self.init(cfa: cfa, framePointer: Self.framePointer(state))
    }

    private static func cfa(_ state: SymbolicState) -> CFA? {
        let stackPointer = state[SymbolicState.stackPointer]
        let framePointer = state[SymbolicState.framePointer]
        // The usual frame pointer is preferred, as compilers do: fewer rows.
        if framePointer == .cfa(-16), state.loaded(from: .cfa(-16)) == .initial(SymbolicState.framePointer) {
            return .register(SymbolicState.framePointer, offset: 16)
        }
        if stackPointer.isCFA { return .register(SymbolicState.stackPointer, offset: -stackPointer.number) }
        if framePointer.isCFA { return .register(SymbolicState.framePointer, offset: -framePointer.number) }
        for register in 0..<UInt8(SymbolicState.registerCount) where state[register].isCFA {
            return .register(register, offset: -state[register].number)
        }
        return storedCFA(state)
    }

    /// A CFA that the function saved in its realigned frame, never below the stack pointer.
    private static func storedCFA(_ state: SymbolicState) -> CFA? {
        let stackPointer = state[SymbolicState.stackPointer]
        var best: (slot: SymbolicValue, value: SymbolicValue)?
        for index in 0..<state.slotCount {
            let (slot, value) = (state.address(ofSlot: index), state.value(ofSlot: index))
            guard value.isCFA, !slot.isCFA, isAlive(slot, stackPointer) else { continue }
            if best.map({ slot.bits > $0.slot.bits }) ?? true { best = (slot, value) }
        }
        guard let best else { return nil }
        for register in [SymbolicState.framePointer, SymbolicState.stackPointer] {
            let base = state[register]
            guard base.isStack, base.qualifier == best.slot.qualifier else { continue }
            return .stored(register, displacement: best.slot.number - base.number, addend: -best.value.number)
        }
        return nil
    }

    private static func framePointer(_ state: SymbolicState) -> FramePointer {
        let stackPointer = state[SymbolicState.stackPointer]
        let initial = SymbolicValue.initial(SymbolicState.framePointer)
        var best: SymbolicValue?
        for index in 0..<state.slotCount where state.value(ofSlot: index) == initial {
            let slot = state.address(ofSlot: index)
            guard isAlive(slot, stackPointer) else { continue }
            // The one that was written first, and is read last.
            if best.map({ ($0.isCFA ? 1 : 0, $0.number) < (slot.isCFA ? 1 : 0, slot.number) }) ?? true { best = slot }
        }
        // A function that saved the register may call others that don't: where it was saved counts.
        if let best, best.isCFA { return .saved(offset: best.number) }
        if state[SymbolicState.framePointer] == initial { return .unchanged }
        guard let best else { return .unknown }
        for register in [SymbolicState.framePointer, SymbolicState.stackPointer] {
            let base = state[register]
            guard base.isStack, base.qualifier == best.qualifier else { continue }
            return .stored(register, displacement: best.number - base.number)
        }
        return .unknown
    }

    /// Whether a slot is at or above the stack pointer: a signal handler overwrites what is below it.
    private static func isAlive(_ slot: SymbolicValue, _ stackPointer: SymbolicValue) -> Bool {
        guard stackPointer.isStack else {
            // Below what was allocated by an unknown amount there are no slots.
            return true
        }
        if stackPointer.qualifier == slot.qualifier { return slot.number >= stackPointer.number }
        // What was saved before the stack pointer was aligned is above it.
        return slot.isCFA
    }
}

extension InferredRule: CustomStringConvertible {
    public var description: String {
        let cfa =
            switch self.cfa {
            case .register(let register, let offset): Self.text(register, offset)
            case .stored(let register, let displacement, let addend):
                "[\(Self.text(register, displacement))]" + (addend == 0 ? "" : Self.signed(addend))
            }
        let framePointer =
            switch self.framePointer {
            case .unknown: "unknown"
            case .unchanged: "unchanged"
            case .saved(let offset): "[CFA\(Self.signed(offset))]"
            case .stored(let register, let displacement): "[\(Self.text(register, displacement))]"
            }
        return "CFA \(cfa), rbp \(framePointer)"
    }

    /// Registers by DWARF's numbers (System V ABI, table 3.36).
    static let names = [
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]

    private static func text(_ register: UInt8, _ offset: Int64) -> String {
        names[Int(register & 15)] + (offset == 0 ? "" : signed(offset))
    }

    private static func signed(_ number: Int64) -> String { number < 0 ? "\(number)" : "+\(number)" }
}
