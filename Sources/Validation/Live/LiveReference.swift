import CLibdw
import KernelUnwinder
import UnwindTable

/// A running process in libdwfl, which unwinds its snapshots.
final class LiveReference {
    let modules: LiveModules
    private let machine: TableMachine
    private let session: ReferenceSession
    /// What the callbacks need while a snapshot is unwound.
    private let current: Current

    private final class Current {
        let machine: TableMachine
        var snapshot: StackSnapshot?
        var memory: SnapshotMemory?
        var stack = ReferenceStack(id: 0)
        /// The index of the frame whose caller is being computed.
        var unwinding = 0
        init(_ machine: TableMachine) { self.machine = machine }

        static func of(_ context: UnsafeMutableRawPointer?) -> Current? {
            context.map { Unmanaged<Current>.fromOpaque($0).takeUnretainedValue() }
        }
    }

    /// A snapshot's stack by libdwfl.
    struct Result {
        var stack: ReferenceStack
        /// The index of the first frame whose caller needed memory that isn't known, and the address.
        var missed: (frame: Int, address: UInt64)?
        var memory: SnapshotMemory
    }

    init(_ modules: LiveModules, _ machine: TableMachine, process: Int32) throws(ReferenceSession.Failure) {
        self.modules = modules
        self.machine = machine
        current = Current(machine)
        session = try ReferenceSession(modules.all.map(\.forReference), name: "process \(process)")
        // Unretained, because `self` keeps it alive.
        try session.attach(
            Self.callbacks, Unmanaged.passUnretained(current).toOpaque(), name: "process \(process)")
    }

    private static var callbacks: Dwfl_Thread_Callbacks {
        Dwfl_Thread_Callbacks(
            next_thread: { _, _, _ in 0 },
            get_thread: { _, _, context, thread in
                thread?.pointee = context
                return true
            },
            memory_read: { _, address, result, context in
                guard let memory = Current.of(context)?.memory, let result else { return false }
                guard let number = memory.number(at: address, size: 8) else { return false }
                result.pointee = number
                return true
            },
            set_initial_registers: { thread, context in
                guard let thread, let current = Current.of(context), let snapshot = current.snapshot else {
                    return false
                }
                var registers = Array(snapshot.registers.prefix(Int(current.machine.lastRegister) + 1))
                // x86-64's number 16 is the pc.
                if current.machine == .x86_64 { registers = registers.prefix(16) + [snapshot.pc] }
                dwfl_thread_state_register_pc(thread, snapshot.pc)
                return dwfl_thread_state_registers(thread, 0, UInt32(registers.count), registers)
            },
            detach: nil, thread_detach: nil)
    }

    func unwind(_ snapshot: StackSnapshot) -> Result {
        let memory = SnapshotMemory(snapshot, modules)
        var missedFrame: Int?
        current.stack = ReferenceStack(id: snapshot.thread)
        current.unwinding = 0
        (current.snapshot, current.memory) = (snapshot, memory)
        memory.onMiss = { [current] in if missedFrame == nil { missedFrame = current.unwinding } }
        let status = dwfl_getthread_frames(
            session.session, 1,
            { frame, context in
                guard let frame, let current = Current.of(context) else { return Int32(DWARF_CB_ABORT) }
                // Asking for the pc of a caller unwinds it, to see whether it was interrupted by a signal.
                current.unwinding = current.stack.frames.count
                return current.stack.append(frame, current.machine)
            }, Unmanaged.passUnretained(current).toOpaque())
        if status < 0 { current.stack.problem = LibdwFile.text(dwfl_errmsg(-1)) }
        (current.snapshot, current.memory, memory.onMiss) = (nil, nil, {})
        return Result(
            stack: current.stack, missed: missedFrame.flatMap { frame in memory.missed.map { (frame, $0) } },
            memory: memory)
    }
}
