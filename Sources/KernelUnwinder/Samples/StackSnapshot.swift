import CUnwindTable

/// What a walk began with: the registers of user code and the top of its stack, at the moment of a sample.
package struct StackSnapshot: Sendable {
    /// Those of the sample: ``Sample/time`` and ``Sample/thread``.
    package let time: UInt64
    package let thread: Int32
    /// AVMA of the interrupted instruction.
    package let pc: UInt64
    /// By DWARF number, 32 of them; what the machine doesn't have is undefined.
    package let registers: [UInt64]
    /// The memory, from a little below the stack pointer upward, and the AVMA of its first byte.
    package let start: UInt64
    package let memory: [UInt8]

    /// Whether the stack may go on beyond the memory because a snapshot has no room for more.
    package var isFull: Bool { memory.count == Int(CFIC_SNAPSHOT_MEMORY) }
    /// The AVMA behind the last byte.
    package var end: UInt64 { start &+ UInt64(memory.count) }

    package init(time: UInt64, thread: Int32, pc: UInt64, registers: [UInt64], start: UInt64, memory: [UInt8]) {
        (self.time, self.thread, self.pc, self.registers) = (time, thread, pc, registers)
        (self.start, self.memory) = (start, memory)
    }

    /// Nil if the bytes are not a snapshot.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let head = MemoryLayout<cfic_snapshot>.size
        guard bytes.count >= head else { return nil }
        let snapshot = bytes.loadUnaligned(as: cfic_snapshot.self)
        guard Int(snapshot.size) <= bytes.count - head else { return nil }
        (time, thread) = (snapshot.time, Int32(bitPattern: snapshot.thread))
        (pc, start) = (snapshot.pc, snapshot.start)
        registers = withUnsafeBytes(of: snapshot.registers) { Array($0.bindMemory(to: UInt64.self)) }
        memory = Array(bytes[head...].prefix(Int(snapshot.size)))
    }
}
