import CUnwindTable
import UnwindTable

extension TableView {
    /// The meaning of the rule in force at an address for a frame, computed by the C code that the kernel runs.
    func meaning(at address: UInt64, of frame: Snapshot) -> FrameMeaning {
        rule(at: address).meaning(of: frame, operations, machine)
    }
}

extension Rule {
    /// The meaning of the rule for a frame all of whose registers are known.
    ///
    /// Signed return addresses keep their authentication codes, because the reference doesn't strip them either.
    ///
    /// - Parameter operations: the operations that the rule's programs consist of.
    func meaning(
        of state: Snapshot, _ operations: UnsafeBufferPointer<Operation>, _ machine: TableMachine
    ) -> FrameMeaning {
        if let reason { return reason == .noInformation ? .nothing : .unsaid(reason.name) }
        var frame = cfic_frame()
        frame.flags = UInt32(CFIC_FRAME_ALL_REGISTERS | CFIC_FRAME_EXACT_PC)
        frame.address_bits = .max
        frame.machine.pc = state.pc
        withUnsafeMutableBytes(of: &frame.machine.registers) { bytes in
            let registers = bytes.bindMemory(to: UInt64.self)
            for number in 0...machine.lastRegister { registers[Int(number)] = state.register(number) ?? 0 }
        }
        let step = withUnsafePointer(to: state) { state in
            var reader = cfic_reader(
                read: { context, to, size, address in
                    guard let context, let to else { return -1 }
                    return context.assumingMemoryBound(to: Snapshot.self).pointee.copy(to, Int(size), address)
                },
                find: nil, context: UnsafeMutableRawPointer(mutating: state), operations: operations.fields,
                operation_count: UInt32(operations.count), guesses: 0, stack_start: 0)
            return withUnsafePointer(to: fields) { rule in
                cfic_native_unwind(&reader, &frame, rule, UInt32(machine.rawValue))
            }
        }
        return FrameMeaning(step, frame, machine)
    }
}

extension Snapshot {
    /// Copies `size` bytes from an address. Returns 0 if all could be read, else −1.
    fileprivate func copy(_ to: UnsafeMutableRawPointer, _ size: Int, _ address: UInt64) -> Int32 {
        for position in stride(from: 0, to: size, by: 8) {
            let part = min(8, size - position)
            guard let number = number(at: address &+ UInt64(position), size: part) else { return -1 }
            withUnsafeBytes(of: number.littleEndian) {
                UnsafeMutableRawBufferPointer(start: to + position, count: part)
                    .copyMemory(from: .init(rebasing: $0[..<part]))
            }
        }
        return 0
    }
}

extension FrameMeaning {
    /// - Parameters:
    ///   - step: the result of the step to the caller.
    ///   - frame: the frame after the step.
    init(_ step: cfic_step, _ frame: cfic_frame, _ machine: TableMachine) {
        switch step {
        case CFIC_STEP_CALLER:
            self = .caller(
                .init(
                    cfa: frame.machine.cfa, stackPointer: frame[machine.stackPointer],
                    framePointer: frame.has(CFIC_FRAME_NO_FRAME_POINTER) ? nil : frame[machine.framePointer],
                    returnAddress: frame.machine.pc, isSignalFrame: frame.has(CFIC_FRAME_EXACT_PC)))
        case CFIC_STEP_END_OF_STACK: self = .endOfStack
        default: self = .unsaid(step.name)
        }
    }
}

extension cfic_frame {
    func has(_ flag: Int32) -> Bool { flags & UInt32(flag) != 0 }

    /// A register, by its DWARF number, which must be one that `cfic_machine` has.
    subscript(register: UInt64) -> UInt64 {
        get { withUnsafeBytes(of: machine.registers) { $0.load(fromByteOffset: 8 * Int(register), as: UInt64.self) } }
        set {
            withUnsafeMutableBytes(of: &machine.registers) {
                $0.storeBytes(of: newValue, toByteOffset: 8 * Int(register), as: UInt64.self)
            }
        }
    }
}

extension cfic_step {
    /// A stable name for use in programs, such as `end-of-stack`.
    var name: String { stableName(cfic_step_name(rawValue), or: "step-\(rawValue)") }
}
