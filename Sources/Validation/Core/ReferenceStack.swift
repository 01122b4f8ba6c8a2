import CLibdw
import UnwindTable

/// The frames of a thread by libdwfl's unwinder.
struct ReferenceStack {
    var id: Int32
    var frames: [WalkedFrame] = []
    /// The innermost frame's registers, by DWARF number.
    var registers: [UInt64] = []
    /// The outermost frame's registers, as far as libdwfl knows them.
    var outermost: [UInt64?] = []
    /// libdwfl's message if it couldn't continue; nil at the end of the stack.
    var problem: String?
    /// Whether unwinding was stopped at `frameLimit`.
    var isCut = false

    /// More frames than any of our walks has; limits stacks that loop.
    static let frameLimit = 2048

    init(id: Int32) { self.id = id }

    /// How libdwfl's walk ended, as text.
    var endText: String { isCut ? "stopped after \(Self.frameLimit) frames" : problem ?? "the end of the stack" }

    /// Appends a frame of libdwfl.
    ///
    /// - Returns: libdwfl's code for whether to continue.
    mutating func append(_ frame: OpaquePointer, _ machine: TableMachine) -> Int32 {
        guard frames.count < Self.frameLimit else {
            isCut = true
            return Int32(DWARF_CB_ABORT)
        }
        func register(_ number: UInt64) -> UInt64? {
            var value: UInt64 = 0
            return dwfl_frame_reg(frame, UInt32(number), &value) == 0 ? value : nil
        }
        var pc: UInt64 = 0
        var isActivation = false
        guard dwfl_frame_pc(frame, &pc, &isActivation) else { return Int32(DWARF_CB_ABORT) }
        outermost = (0...machine.lastRegister).map(register)
        if frames.isEmpty { registers = outermost.map { $0 ?? 0 } }
        frames.append(
            WalkedFrame(
                pc: pc, stackPointer: register(machine.stackPointer) ?? 0, framePointer: register(machine.framePointer),
                isExact: isActivation))
        return Int32(DWARF_CB_OK)
    }
}
