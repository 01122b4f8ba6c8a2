import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// A process to walk: memory, and one table mapped at `bias`. Its function at 0x1000 has frames of 32 bytes, and the
/// one at 0x2000 is outermost.
private final class Process {
    static let bias: UInt64 = 0x7000_0000

    var words: [UInt64: UInt64] = [:]
    /// If set, the word at all addresses.
    var everywhere: UInt64?
    private(set) var frames: [(pc: UInt64, sp: UInt64)] = []
    private let table: BuiltTable
    private let native: UnsafeMutablePointer<cfic_native_table>

    init() throws {
        var writer = CFIWriter()
        writer.addFunction(0x1000, length: 0x100, [.init(0, 32)])
        writer.addFDE(0x2000, length: 0x10, CFI.undefined(register: 16))
        table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        native = .allocate(capacity: 1)
        native.initialize(to: table.view.native)
    }

    deinit { native.deallocate() }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Process {
        Unmanaged<Process>.fromOpaque(context!).takeUnretainedValue()
    }

    /// The end of the walk from the function at 0x1000, with the stack pointer at 0x1000_0000.
    func walk() -> cfic_step {
        let context = Unmanaged.passUnretained(self).toOpaque()
        var reader = cfic_reader(
            read: { context, to, size, address in
                let process = Process.of(context)
                guard size == 8, let word = process.words[address] ?? process.everywhere else { return -1 }
                to?.storeBytes(of: word, as: UInt64.self)
                return 0
            },
            find: { context, pc, table, bias in
                // After the table's 64 KiB a file without a table is mapped, and nothing after that.
                guard pc >= Process.bias, pc < Process.bias + 0x20000 else { return CFIC_STEP_NO_MAPPING }
                guard pc < Process.bias + 0x10000 else { return CFIC_STEP_NO_TABLE }
                table?.pointee = UnsafePointer(Process.of(context).native)
                bias?.pointee = Process.bias
                return CFIC_STEP_CALLER
            },
            context: context, operations: nil, operation_count: 0, guesses: 0, stack_start: 0)
        var frame = cfic_frame()
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        frame.machine.pc = Process.bias + 0x1010
        withUnsafeMutableBytes(of: &frame.machine.registers) {
            $0.storeBytes(of: 0x1000_0000, toByteOffset: 7 * 8, as: UInt64.self)
        }
        return cfic_native_walk(
            &reader, &frame, UInt32(CFIC_MACHINE_X86_64),
            { context, frame in
                let sp = withUnsafeBytes(of: frame!.pointee.machine.registers) {
                    $0.load(fromByteOffset: 7 * 8, as: UInt64.self)
                }
                Process.of(context).frames.append((frame!.pointee.machine.pc, sp))
            }, context)
    }
}

/// Walks with the C code of the BPF programs, each with a different end.
@Suite struct WalkTests {
    private let process: Process

    init() throws { process = try Process() }

    /// The return address of a frame at 0x1000_0000 + 32 × `number`.
    private func setReturnAddress(_ number: UInt64, _ address: UInt64) {
        process.words[0x1000_0000 + 32 * number + 24] = Process.bias + address
    }

    @Test func walkEndsAtTheOutermostFrame() {
        setReturnAddress(0, 0x1020)
        // The call is the function's last instruction, so the return address is the next function's first.
        setReturnAddress(1, 0x1100)
        setReturnAddress(2, 0x2001)
        #expect(process.walk() == CFIC_STEP_END_OF_STACK)
        #expect(process.frames.map { $0.pc - Process.bias } == [0x1010, 0x1020, 0x1100, 0x2001])
        #expect(process.frames.map { $0.sp - 0x1000_0000 } == [0, 32, 64, 96])
    }

    @Test func walkEndsWhereNothingIsMapped() {
        setReturnAddress(0, 0x5000_0000)
        #expect(process.walk() == CFIC_STEP_NO_MAPPING)
        #expect(process.frames.count == 2)
    }

    @Test func walkEndsInAFileWithoutATable() {
        setReturnAddress(0, 0x10001)
        #expect(process.walk() == CFIC_STEP_NO_TABLE)
        // The return address is outside the table, but the call isn't.
        setReturnAddress(0, 0x10000)
        #expect(process.walk() == CFIC_STEP_NO_RULE)
    }

    @Test func walkEndsWhereTheTableHasNoRule() {
        setReturnAddress(0, 0x3000)
        #expect(process.walk() == CFIC_STEP_NO_RULE)
    }

    @Test func walkEndsWhereTheStackCannotBeRead() {
        setReturnAddress(0, 0x1020)
        #expect(process.walk() == CFIC_STEP_UNREADABLE_RETURN_ADDRESS)
        #expect(process.frames.count == 2)
    }

    /// All words of the stack are the address of the function itself.
    @Test func walkOfAnEndlessStackIsCut() {
        process.everywhere = Process.bias + 0x1010
        #expect(process.walk() == CFIC_STEP_TOO_DEEP)
        #expect(process.frames.count == Int(CFIC_FRAMES_MAX))
    }
}
