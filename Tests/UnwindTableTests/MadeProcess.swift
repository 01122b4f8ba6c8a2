import CUnwindTable
import TestFixtures
import UnwindTable

/// A process for tests of guesses, with memory and code that the test writes. The function at `covered` has call frame
/// information and frames of 32 bytes, and the one at 0x2000 is outermost. The functions at `inferred` and
/// `inferredOddly` have inferred rules. Other code below `end` has no information.
final class MadeProcess {
    static let bias: UInt64 = 0x7000_0000
    /// A function of 256 bytes with information.
    static let covered = bias + 0x1000
    /// On x86-64, code with a signal frame's rule, to which handlers return; its frames have 32 bytes.
    static let signal = bias + 0x2800
    /// A function of 256 bytes with inferred rules, for frames of 32 bytes with the return address at their end.
    static let inferred = bias + 0x2a00
    /// The same, for frames of 20 bytes whose frame pointer is lost: a long rule, and not a usual one.
    static let inferredOddly = bias + 0x2c00
    /// Code without information.
    static let uncovered = bias + 0x4000
    /// End of the executable memory.
    static let end = bias + 0x20000
    static let stack: UInt64 = 0x1000_0000

    let machine: TableMachine
    var frame = cfic_frame()
    var words: [UInt64: UInt64] = [:]
    /// By address; elsewhere code reads as zeros.
    var code: [UInt64: UInt8] = [:]
    var unreadable: Set<UInt64> = []
    /// Further executable memory, without a table.
    var extra: Range<UInt64> = 0..<0
    private let table: BuiltTable
    private let native: UnsafeMutablePointer<cfic_native_table>

    /// The frame is innermost, in code without information, and its frame pointer points to no record.
    init(_ machine: TableMachine) throws {
        self.machine = machine
        var writer = CFIWriter(machine, codeAlignment: machine == .x86_64 ? 1 : 4)
        writer.addFunction(0x1000, length: 0x100, [.init(0, 32)])
        writer.addFDE(0x2000, length: 0x10, CFI.undefined(register: machine == .x86_64 ? 16 : 30))
        if machine == .x86_64 {
            writer.addCIE(augmentation: "S")
            writer.addFunction(0x2800, length: 0x10, [.init(0, 32)])
        }
        var inferred = CFIWriter(machine, codeAlignment: machine == .x86_64 ? 1 : 4)
        for (start, size) in [(0x2a00, 32), (0x2c00, 20)] as [(UInt64, Int32)] {
            let saved = machine == .x86_64 ? [] : CFI.offset(register: 30, factored: 1)
            let lost = size == 32 ? [] : CFI.undefined(register: machine == .x86_64 ? 6 : 29)
            inferred.addFDE(start, length: 0x100, CFI.defineCFAOffset(size) + saved + lost)
        }
        table = try BuiltTable(writer, inferred: inferred, executable: [0x1000..<0x10000], keepsGaps: true)
        native = .allocate(capacity: 1)
        native.initialize(to: table.view.native)
        frame.address_bits = 0x0000_ffff_ffff_ffff
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        frame.machine.pc = Self.uncovered + 0x40
        self[sp] = Self.stack
        self[fp] = 1
    }

    deinit { native.deallocate() }

    var sp: Int { machine == .x86_64 ? 7 : 31 }
    var fp: Int { machine == .x86_64 ? 6 : 29 }
    var pc: UInt64 { frame.machine.pc }

    subscript(register: Int) -> UInt64 {
        get { withUnsafeBytes(of: frame.machine.registers) { $0.load(fromByteOffset: 8 * register, as: UInt64.self) } }
        set {
            withUnsafeMutableBytes(of: &frame.machine.registers) {
                $0.storeBytes(of: newValue, toByteOffset: 8 * register, as: UInt64.self)
            }
        }
    }

    func has(_ flag: Int32) -> Bool { frame.flags & UInt32(flag) != 0 }

    // MARK: Stack

    /// Writes a frame record, and sets the frame pointer to it.
    func setRecord(at address: UInt64 = stack + 0x20, returnsTo pc: UInt64, fp caller: UInt64 = 0) {
        self[fp] = address
        words[address] = caller
        words[address + 8] = pc
    }

    /// Sets a leaf's return address.
    func setLeaf(returnsTo pc: UInt64) {
        if machine == .x86_64 { words[Self.stack] = pc } else { self[30] = pc }
    }

    // MARK: Code

    func put(_ bytes: [UInt8], endingAt end: UInt64) {
        for (offset, byte) in bytes.enumerated() { code[end - UInt64(bytes.count - offset)] = byte }
    }

    func put(_ instructions: [UInt32], at start: UInt64) {
        put(instructions.flatMap { little($0) }, endingAt: start + UInt64(4 * instructions.count))
    }

    /// Writes `call target` or `bl target` right before an address.
    func putCall(before end: UInt64, to target: UInt64) {
        if machine == .x86_64 {
            put([0xe8] + little(UInt32(truncatingIfNeeded: target &- end)), endingAt: end)
        } else {
            put([0x9400_0000 | UInt32(truncatingIfNeeded: (target &- (end - 4)) >> 2) & 0x03ff_ffff], at: end - 4)
        }
    }

    /// Writes `call *%rax` or `blr x3` right before an address.
    func putIndirectCall(before end: UInt64) {
        if machine == .x86_64 { put([0xff, 0xd0], endingAt: end) } else { put([0xd63f_0060], at: end - 4) }
    }

    /// Writes a stub of the procedure linkage table, which jumps to the address in a word of memory.
    func putStub(at start: UInt64, slot: UInt64) {
        if machine == .x86_64 {
            let next = start + 6
            put([0xff, 0x25] + little(UInt32(truncatingIfNeeded: slot &- next)), endingAt: next)
        } else {
            let pages = UInt32(truncatingIfNeeded: (slot >> 12) &- (start >> 12))
            put(
                [
                    0x9000_0010 | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5,
                    0xf940_0211 | (UInt32(slot & 0xfff) / 8) << 10, 0x9100_0210, 0xd61f_0220,
                ], at: start)
        }
    }

    /// The stack pointer when the program began; 0: unknown.
    var stackStart: UInt64 = 0

    // MARK: Walks

    func step() -> cfic_step {
        var reader = reader
        return cfic_native_step(&reader, &frame, UInt32(machine.rawValue))
    }

    private var reader: cfic_reader {
        cfic_reader(
            read: { context, to, size, address in
                MadeProcess.of(context).read(UnsafeMutableRawBufferPointer(start: to, count: Int(size)), at: address)
            },
            find: { context, pc, table, bias in
                if MadeProcess.of(context).extra.contains(pc) { return CFIC_STEP_NO_TABLE }
                // The second half belongs to a file without a table.
                guard pc >= MadeProcess.bias, pc < MadeProcess.end else { return CFIC_STEP_NO_MAPPING }
                guard pc < MadeProcess.bias + 0x10000 else { return CFIC_STEP_NO_TABLE }
                table?.pointee = UnsafePointer(MadeProcess.of(context).native)
                bias?.pointee = MadeProcess.bias
                return CFIC_STEP_CALLER
            },
            context: Unmanaged.passUnretained(self).toOpaque(), operations: nil, operation_count: 0, guesses: 1,
            stack_start: stackStart)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> MadeProcess {
        Unmanaged<MadeProcess>.fromOpaque(context!).takeUnretainedValue()
    }

    private func read(_ to: UnsafeMutableRawBufferPointer, at address: UInt64) -> Int32 {
        for (offset, byte) in to.indices.enumerated() {
            let at = address &+ UInt64(offset)
            if unreadable.contains(at) { return -1 }
            if (Self.bias..<Self.end).contains(at) || extra.contains(at) {
                to[byte] = code[at] ?? 0
            } else if let word = words[at & ~7] {
                to[byte] = UInt8(truncatingIfNeeded: word >> (8 * (at & 7)))
            } else {
                return -1
            }
        }
        return 0
    }
}
