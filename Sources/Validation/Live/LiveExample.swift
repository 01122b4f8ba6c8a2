import CUnwindTable
import Files
import KernelUnwinder
import Profile
import UnwindTable

/// One stack of a class of differences, worked out at the last common frame.
public struct LiveExample: Sendable {
    public var process: Int32
    public var thread: Int32
    /// The thread's name.
    public var command: String
    /// CLOCK_MONOTONIC, in nanoseconds.
    public var time: UInt64
    /// Index of the first frame that differs, or that one side lacks; 0 is the innermost.
    public var frame: Int
    /// Each side's frame, or how its walk ended. Ours may have been found in user space.
    public var kernel: String
    public var reference: String
    /// The previous frame, its file, and the SVMA for the lookup of its row: this led to the difference.
    public var callee: String
    public var path: String
    public var address: UInt64
    /// Both sides' rules for it, and what they give for these registers and this memory.
    public var rule: String
    public var ruleMeaning: String
    public var referenceRow: String
    public var referenceMeaning: String
    /// The registers that are known of it, by name: all of the innermost frame, else only some.
    public var registers: [(name: String, value: UInt64)]
    /// Words of the stack from its stack pointer on, with their addresses.
    public var memory: [(address: UInt64, value: UInt64)]
}

extension LiveExample {
    private static let wordCount = 8

    init(
        _ stack: ObservedStack, _ reference: LiveReference.Result, _ modules: LiveModules, _ machine: TableMachine,
        frame index: Int
    ) {
        (process, thread, command, time) = (stack.process, stack.thread, stack.command, stack.time)
        frame = index
        let frames = reference.stack.frames
        kernel = stack.frames.indices.contains(index) ? Self.text(stack.frames[index]) : "\(stack.end)"
        self.reference = frames.indices.contains(index) ? "\(frames[index])" : reference.stack.endText
        let callee = index > 0 && index <= frames.count ? frames[index - 1] : nil
        self.callee = callee.map { "\($0)" } ?? "none"
        let module = callee.flatMap { modules.module(at: $0.lookupPC) }
        path = module?.image.name ?? "no mapped file"
        address = callee.map { $0.lookupPC &- (module?.bias ?? 0) } ?? 0
        let context = callee.map {
            DumpedFrame(
                frame: $0, memory: reference.memory, machine: machine,
                registers: index == 1 ? reference.stack.registers : [])
        }
        let row = module?.image.row(at: address)
        referenceRow = row?.text ?? "no row"
        referenceMeaning = context.flatMap { row?.meaning(of: $0).description } ?? "nothing"
        let svma = address
        let ours = module?.image.withTable { table in
            (table.describe(table.ruleNumber(at: svma)), context.map { table.meaning(at: svma, of: $0).description })
        }
        (rule, ruleMeaning) = (ours?.0 ?? "no table", ours?.1 ?? "nothing")
        registers = context?.known ?? []
        memory = (0..<Self.wordCount).compactMap { number in
            guard let context else { return nil }
            let address = context.frame.stackPointer &+ UInt64(8 * number)
            return context.number(at: address, size: 8).map { (address, $0) }
        }
    }

    private static func text(_ frame: Sample.Frame) -> String {
        "pc \(frame.pc.hex)" + (frame.isExact ? ", exact" : "") + (frame.isGuessed ? ", guessed" : "")
    }
}

extension DumpedFrame {
    /// The registers whose values are known, with their names.
    fileprivate var known: [(name: String, value: UInt64)] {
        (0...machine.lastRegister).compactMap { number in
            register(number).map { (machine.registerName(UInt8(number)), $0) }
        }
    }
}

extension TableView {
    /// The meaning of the rule in force at an SVMA for a frame of a walk, computed by the C code that the kernel runs.
    fileprivate func meaning(at address: UInt64, of state: DumpedFrame) -> FrameMeaning {
        let rule = rule(at: address)
        if let reason = rule.reason { return reason == .noInformation ? .nothing : .unsaid(reason.name) }
        var frame = cfic_frame()
        frame.address_bits = .max
        frame.flags = UInt32(
            (state.registers.isEmpty ? 0 : CFIC_FRAME_ALL_REGISTERS) | (state.frame.isExact ? CFIC_FRAME_EXACT_PC : 0)
                | (state.frame.framePointer == nil ? CFIC_FRAME_NO_FRAME_POINTER : 0))
        frame.machine.pc = state.pc
        for number in 0...machine.lastRegister { frame[number] = state.register(number) ?? 0 }
        // Unretained, because the call ends before `box` does.
        let box = MemoryBox(state.memory)
        let step = withExtendedLifetime(box) {
            var reader = cfic_reader(
                read: { context, to, size, address in
                    guard let context else { return -1 }
                    let memory = Unmanaged<MemoryBox>.fromOpaque(context).takeUnretainedValue().memory
                    let buffer = UnsafeMutableRawBufferPointer(start: to, count: Int(size))
                    return memory.copy(from: address, to: buffer) ? 0 : -1
                },
                find: nil, context: Unmanaged.passUnretained(box).toOpaque(), operations: operations.fields,
                operation_count: UInt32(operations.count), guesses: 0, stack_start: 0)
            return withUnsafePointer(to: rule.fields) { rule in
                cfic_native_unwind(&reader, &frame, rule, UInt32(machine.rawValue))
            }
        }
        return FrameMeaning(step, frame, machine)
    }
}

private final class MemoryBox {
    let memory: any DumpedMemory
    init(_ memory: any DumpedMemory) { self.memory = memory }
}
