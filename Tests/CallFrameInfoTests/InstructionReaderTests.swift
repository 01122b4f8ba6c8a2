import CallFrameInfo
import Testing

@Suite struct InstructionReaderTests {
    /// Runs all prefixes of the FDEs' instructions. The interpreter must report a truncated instruction exactly for
    /// those prefixes that end within an instruction of the reader. So both consume the same bytes for each
    /// instruction.
    @Test func takesTheSameBytesAsTheInterpreterInRealFiles() throws {
        let directories = ["/usr/lib/x86_64-linux-gnu", "/usr/aarch64-linux-gnu/lib"]
        let files = RealFiles.slice(directories, count: 40, largest: 300_000)
        var compared = 0
        for file in files {
            try withSections(of: file) { sections, _ in
                for section in sections { compared += try compare(section, file) }
            }
        }
        #expect(files.isEmpty || compared > 0)
    }

    @Test func takesTheSameBytesAsTheInterpreterForEveryOpcode() throws {
        for machine in [62, aarch64] {
            var builder = FrameBuilder(machine: machine)
            let cie = builder.cie()
            for opcode in 0...UInt8.max {
                // Operands: numbers of two bytes each, small enough to be lengths of the bytes that follow.
                let operands = (0..<16).flatMap { _ in [0x82, 0x00] as [UInt8] }
                builder.fde(cie: cie, length: 1 << 62, instructions: [0x0a, opcode] + operands)
            }
            let compared = try builder.withSection { try compare($0, "opcodes of machine \(machine)") }
            #expect(compared == 256)
        }
    }

    /// The number of FDEs compared.
    private func compare(_ section: FrameSection, _ name: String) throws -> Int {
        var compared = 0
        var position = 0
        while position < section.bytes.count {
            let header = try section.entryHeader(at: position)
            position = header.end
            guard let cieOffset = header.cieOffset else { continue }
            let cie = try section.commonInformationEntry(at: cieOffset)
            let fde = try section.frameDescriptionEntry(header, cie: cie)
            var interpreter = try Interpreter(section, cie: cie, columns: AllRegisters())
            let ends = instructionEnds(fde, cie, section)
            for end in fde.instructions.prefix(400) {
                var sink = TextSink()
                let outcome = interpreter.run(
                    instructions: fde.instructions.lowerBound..<end, start: fde.start, limit: .max, sink: &sink)
                guard isOutcome(outcome, expected: ends, end: end) else {
                    Issue.record("\(name): FDE at \(fde.offset), up to \(end): \(outcome), reader: \(ends)")
                    break
                }
            }
            compared += 1
        }
        return compared
    }

    /// The start and end of each instruction that the reader finds.
    private func instructionEnds(
        _ fde: FrameDescriptionEntry, _ cie: CommonInformationEntry, _ section: FrameSection
    ) -> [(start: Int, end: Int)] {
        var reader = InstructionReader(section, instructions: fde.instructions, cie: cie, function: fde.start)
        var starts: [Int] = []
        while let instruction = try? reader.next() { starts.append(instruction.offset) }
        let end = starts.last == reader.instructionOffset ? fde.instructions.upperBound : reader.instructionOffset
        return zip(starts, starts.dropFirst() + [end]).map { ($0, $1) }
    }

    private func isOutcome(
        _ outcome: Interpreter<AllRegisters>.Outcome, expected: [(start: Int, end: Int)], end: Int
    ) -> Bool {
        switch outcome {
        case .complete:
            return end == expected.first?.start || expected.contains { $0.end == end } || expected.isEmpty
        case .poisoned(.truncated, _, let offset):
            // Truncated within the instruction at `offset`, or in one that the reader can't read either.
            return expected.contains { $0.start == offset && end < $0.end } || offset >= expected.last?.end ?? 0
        case .poisoned(_, _, let offset):
            // Another error: it is at the start of an instruction of the reader.
            return expected.contains { $0.start == offset } || offset >= expected.last?.end ?? 0
        }
    }
}
