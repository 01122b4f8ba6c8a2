import CUnwindTable

/// What a walk began with: the registers of user code and the top of its stack, at the moment of a sample.
package struct StackSnapshot: Sendable {
    /// Those of the sample: ``Sample/time`` and ``Sample/thread``.
    package let time: UInt64
    package let thread: Int32
    /// AVMA of the interrupted instruction.
    package let pc: UInt64
    /// The stack pointer when the process's program began, an AVMA.
    package let programStart: UInt64
    /// By DWARF number, 32 of them; what the machine doesn't have is undefined.
    package let registers: [UInt64]
    /// The AVMA of the memory's first byte, a little below the stack pointer.
    package let start: UInt64
    /// The memory upward from there, up to the last chunk that could be read; others are undefined.
    private let memory: [UInt8]
    /// Bit N is set if chunk N of the memory could be read.
    private let chunks: UInt32

    /// The AVMA behind the last byte for which a snapshot has room.
    package var end: UInt64 { start &+ UInt64(CFIC_SNAPSHOT_MEMORY) }

    /// Bytes of memory at an AVMA; nil unless all of them could be read.
    package func bytes(at address: UInt64, count: Int) -> ArraySlice<UInt8>? {
        let distance = address &- start
        guard count > 0, distance < UInt64(memory.count), count <= memory.count - Int(distance) else { return nil }
        let first = Int(distance), size = Int(CFIC_SNAPSHOT_CHUNK)
        for chunk in first / size...(first + count - 1) / size where chunks >> UInt32(chunk) & 1 == 0 { return nil }
        return memory[first..<first + count]
    }

    /// Nil if the bytes are not a snapshot.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let head = MemoryLayout<cfic_snapshot>.size
        guard bytes.count >= head + Int(CFIC_SNAPSHOT_MEMORY) else { return nil }
        let snapshot = bytes.loadUnaligned(as: cfic_snapshot.self)
        (time, thread) = (snapshot.time, Int32(bitPattern: snapshot.thread))
        (pc, start, programStart) = (snapshot.pc, snapshot.start, snapshot.stack_start)
        registers = withUnsafeBytes(of: snapshot.registers) { Array($0.bindMemory(to: UInt64.self)) }
        chunks = snapshot.chunks
        // Up to the last chunk that could be read.
        let count = min(UInt32.bitWidth - chunks.leadingZeroBitCount, Int(CFIC_SNAPSHOT_CHUNKS))
        memory = Array(bytes[head...].prefix(count * Int(CFIC_SNAPSHOT_CHUNK)))
    }
}

extension KernelUnwinder {
    /// Whether the stacks of walks that ended so come with a snapshot, for user space to go on.
    package func finishes(_ end: StackEnd) -> Bool { end.code < 32 && options.snapshotEnds >> end.code & 1 != 0 }
}

extension KernelUnwinder.Options {
    var usesSnapshots: Bool { snapshotEvery > 0 || finishesStacks }

    /// The ends of walks that come with a snapshot, as in `cfic_settings.snapshot_ends`.
    var snapshotEnds: UInt32 {
        guard finishesStacks else { return 0 }
        return [
            CFIC_STEP_NO_RULE, CFIC_STEP_NO_REGISTERS, CFIC_STEP_NO_FRAME_POINTER, CFIC_STEP_TABLE_PENDING,
            CFIC_STEP_TABLE_EVICTED, CFIC_STEP_NO_PROCESS, CFIC_STEP_NO_MAPPING,
        ].reduce(0) { $0 | 1 << $1.rawValue }
    }
}
