import CUnwindTable
import ELF
import Files
import KernelUnwinder
import UnwindTable

/// The memory of a snapshot.
struct StackMemory {
    /// Nil: nothing is known.
    let snapshot: StackSnapshot?

    /// The value of `size` bytes, 1 to 8: little-endian, zero-extended; nil if they are not in the snapshot.
    func number(at address: UInt64, size: Int) -> UInt64? {
        snapshot?.bytes(at: address, count: size).map { bytes in
            bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}

/// Goes on with stacks that the kernel's walk could not follow to their outermost frame, from their snapshots and with
/// all registers.
package final class StackFinisher {
    /// What was found beyond the kernel's frames.
    package struct Finished {
        /// The callers of the kernel's last frame, the innermost first.
        package var frames: [Sample.Frame]
        /// Whether the kernel's last frame is a signal frame. Its pc is not the return address of a call: the kernel set it.
        /// False without frames.
        package var startsInSignalFrame = false
        /// How the walk ended.
        package var end: StackEnd

        /// The stack that begins with the kernel's frames.
        package func continuing(_ kernel: some Collection<Sample.Frame>) -> [Sample.Frame] {
            var stack = Array(kernel)
            if startsInSignalFrame, let last = stack.popLast() { stack.append(last.exact) }
            return stack + frames
        }
    }

    private let machine: TableMachine
    private let debugFiles: DebugFileSearch?
    private let addressBits: UInt64
    private var rows: [ImageKey: ImageRows?] = [:]
    /// Entries of all of them.
    private var entryCount = 0
    /// More than a process maps, and more entries than the largest executables have: what is kept of files takes at most
    /// some tens of megabytes.
    private static let imageLimit = 256, entryLimit = 1 << 20

    /// - Throws: ``KernelError`` on a machine without tables.
    package init(debugFiles: DebugFileSearch? = nil) throws(KernelError) {
        machine = try KernelUnwinder.hostMachine
        addressBits = KernelUnwinder.addressBits
        self.debugFiles = debugFiles
    }

    /// Walks the whole stack again, and continues it if the kernel's frames are its beginning.
    ///
    /// - Parameters:
    ///   - frames: the kernel's, the innermost first.
    ///   - mapping: the mapping of an AVMA at the time of the sample.
    /// - Returns: nil if there is nothing beyond them, or if the two walks differ.
    package func finish(
        _ frames: some RandomAccessCollection<Sample.Frame>, _ snapshot: StackSnapshot,
        mapping: (UInt64) -> ProcessImages.Mapping?
    ) -> Finished? {
        let memory = StackMemory(snapshot: snapshot)
        var frame = RegisterFrame(machine, pc: snapshot.pc, registers: snapshot.registers)
        var found: [Sample.Frame] = []
        var startsInSignalFrame = false
        var kernel = frames.makeIterator()
        for _ in 0..<Int(CFIC_FRAMES_MAX) {
            if let expected = kernel.next() {
                guard expected.pc == frame.pc, !expected.isGuessed else { return nil }
            } else {
                found.append(Sample.Frame(finished: frame.pc, isExact: frame.isExact))
            }
            switch step(from: frame, memory, mapping(frame.lookupPC)) {
            case .caller(let caller):
                frame = caller
                if found.isEmpty {
                    startsInSignalFrame = frame.isExact
                } else if frame.isExact {
                    found.append(found.removeLast().exact)
                }
            case .end(let end):
                let end = StackEnd(code: end.rawValue)
                guard kernel.next() == nil, !found.isEmpty || end.isOutermost else { return nil }
                return Finished(
                    frames: found, startsInSignalFrame: startsInSignalFrame && !found.isEmpty, end: end)
            }
        }
        return Finished(
            frames: found, startsInSignalFrame: startsInSignalFrame, end: StackEnd(code: CFIC_STEP_TOO_DEEP.rawValue))
    }

    private func step(
        from frame: RegisterFrame, _ memory: StackMemory, _ mapping: ProcessImages.Mapping?
    ) -> RegisterFrame.Step {
        guard let mapping else { return .end(CFIC_STEP_NO_MAPPING) }
        guard let image = mapping.image, let rows = rows(of: image) else { return .end(CFIC_STEP_NO_TABLE) }
        guard let row = rows.row(at: frame.lookupPC &- mapping.bias) else {
            return .end(isProgramStart(frame, memory) ? CFIC_STEP_END_OF_STACK : CFIC_STEP_NO_TABLE)
        }
        return frame.caller(by: row, memory, addressBits: addressBits)
    }

    /// As `cfic_is_program_start` in cfic/known_code.h.
    private func isProgramStart(_ frame: RegisterFrame, _ memory: StackMemory) -> Bool {
        guard machine == .x86_64 || !frame.isExact, let start = memory.snapshot?.programStart else { return false }
        return start != 0 && frame.register(machine.stackPointer) == start
    }

    private func rows(of mapped: MappedImage) -> ImageRows? {
        let key = ImageKey(mapped)
        if let known = rows[key] { return known }
        if rows.count >= Self.imageLimit || entryCount >= Self.entryLimit { (rows, entryCount) = ([:], 0) }
        // Another thread may be making the table from this image.
        let found = mapped.image.flatMap { try? ImageRows($0.another(), debugFiles: debugFiles) }
        entryCount += found?.entryCount ?? 0
        rows[key] = .some(found)
        return found
    }
}
