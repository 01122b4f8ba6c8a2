import CUnwindTable
import Search
import UnwindTable

/// A thread's frames by our tables, walked by the C code that the kernel runs.
final class TableWalk {
    private(set) var frames: [WalkedFrame] = []
    private(set) var end = CFIC_STEP_NO_MAPPING
    private let core: CoreFile
    private let modules: [CoreModule]
    let machine: TableMachine

    /// - Parameters:
    ///   - registers: the innermost frame's registers, by DWARF number.
    ///   - addressBits: the bits of a signed return address that belong to the address.
    init(
        _ core: CoreFile, _ modules: [CoreModule], _ machine: TableMachine, registers: [UInt64], pc: UInt64,
        addressBits: UInt64
    ) {
        self.core = core
        self.modules = modules
        self.machine = machine
        var frame = cfic_frame()
        frame.machine.pc = pc
        frame.address_bits = addressBits
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        for (number, register) in registers.prefix(Int(machine.lastRegister) + 1).enumerated() {
            frame[UInt64(number)] = register
        }
        // Unretained, because `self` outlives the walk, which ends before this returns.
        let context = Unmanaged.passUnretained(self).toOpaque()
        var reader = cfic_reader(
            read: { context, to, size, address in
                let buffer = UnsafeMutableRawBufferPointer(start: to, count: Int(size))
                return TableWalk.of(context).core.copy(from: address, to: buffer) ? 0 : -1
            },
            find: { context, pc, table, bias in TableWalk.of(context).find(pc, table, bias) },
            context: context, operations: nil, operation_count: 0, guesses: 0, stack_start: 0)
        end = cfic_native_walk(
            &reader, &frame, UInt32(machine.rawValue),
            { context, frame in if let frame { TableWalk.of(context).append(frame.pointee) } }, context)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> TableWalk {
        // Never nil: the context that `init` passes to C.
        Unmanaged<TableWalk>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
    }

    private func append(_ frame: cfic_frame) {
        frames.append(
            WalkedFrame(
                pc: frame.machine.pc, stackPointer: frame[machine.stackPointer],
                framePointer: frame.has(CFIC_FRAME_NO_FRAME_POINTER) ? nil : frame[machine.framePointer],
                isExact: frame.has(CFIC_FRAME_EXACT_PC)))
    }

    private func find(
        _ pc: UInt64, _ table: UnsafeMutablePointer<UnsafePointer<cfic_native_table>?>?,
        _ bias: UnsafeMutablePointer<UInt64>?
    ) -> cfic_step {
        guard let module = modules.module(at: pc) else { return CFIC_STEP_NO_MAPPING }
        guard let native = module.native else { return CFIC_STEP_NO_TABLE }
        table?.pointee = UnsafePointer(native)
        bias?.pointee = module.bias
        return CFIC_STEP_CALLER
    }
}

extension [CoreModule] {
    /// The module that contains an AVMA. Modules are in ascending order and don't overlap.
    func module(at address: UInt64) -> CoreModule? {
        guard let index = lastIndex(atMost: address, by: { $0.range.lowerBound }) else { return nil }
        return self[index].range.contains(address) ? self[index] : nil
    }
}
