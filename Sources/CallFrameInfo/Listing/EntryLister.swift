/// Writes entries with their instructions.
struct EntryLister: ~Copyable {
    var text: ListingText
    var summary = FrameListing.Summary()
    private let pc: UInt64?

    init(text: consuming ListingText, pc: UInt64?) {
        self.text = text
        self.pc = pc
    }

    /// Lists a section's entries. Writes nothing for an empty section.
    mutating func list(_ section: FrameSection, name: String) {
        if section.bytes.isEmpty { return }
        var walk = FrameWalk(section, name: name)
        let names = RegisterNames(machine: section.machine)
        guard let pc else {
            text.append(headingOf: name)
            while let step = walk.next() { list(step, walk, names) }
            return text.endLine()
        }
        var listedCIE = -1
        while let step = walk.next() {
            guard case .fde(_, let cie, let fde) = step, fde.start <= pc, pc < fde.limit else { continue }
            if listedCIE < 0 { text.append(headingOf: name) }
            if cie.entry.offset != listedCIE, let header = try? section.entryHeader(at: cie.entry.offset) {
                list(.cie(header, cie), walk, names)
                listedCIE = cie.entry.offset
            }
            list(step, walk, names)
        }
        if listedCIE >= 0 { text.endLine() }
    }

    private mutating func list(_ step: FrameWalk.Step, _ walk: borrowing FrameWalk, _ names: borrowing RegisterNames) {
        let section = walk.section
        switch step {
        case .terminator(let header):
            return text.append(terminator: header)
        case .end(_, let problem):
            text.append(byte: UInt8(ascii: "\n"))
            report(problem)
        case .malformed(let header, let problem):
            text.append(malformed: header, of: section)
            report(problem)
        case .cie(let header, let cie):
            text.append(header, of: section, addressSize: cie.entry.addressSize)
            appendFields(of: cie.entry, section)
            appendInstructions(cie.entry.initialInstructions, cie: cie, start: 0, walk, names)
        case .fde(let header, let cie, let fde):
            text.append(header, of: section, addressSize: cie.entry.addressSize)
            text.append(fde, cie: cie.entry)
            if !fde.augmentationData.isEmpty { text.append(augmentationData: fde.augmentationData, of: section) }
            appendInstructions(fde.instructions, cie: cie, start: fde.start, walk, names)
        }
        summary.entries += 1
    }

    private mutating func report(_ problem: ListingProblem) {
        summary.problems += 1
        text.append(problem)
    }

    private mutating func appendFields(of cie: borrowing CommonInformationEntry, _ section: FrameSection) {
        text.append("CIE\n  Version:               " as StaticString)
        text.append(decimal: UInt64(cie.version))
        text.append("\n  Augmentation:          \"" as StaticString)
        text.append(escaping: UnsafeRawBufferPointer(rebasing: section.bytes[cie.augmentation]))
        text.append("\"\n" as StaticString)
        if cie.version >= 4 {
            text.append("  Pointer Size:          " as StaticString)
            text.append(decimal: UInt64(cie.addressSize))
            text.append("\n  Segment Size:          0\n" as StaticString)
        }
        text.append("  Code alignment factor: " as StaticString)
        text.append(decimal: cie.codeAlignment)
        text.append("\n  Data alignment factor: " as StaticString)
        text.append(decimal: cie.dataAlignment)
        text.append("\n  Return address column: " as StaticString)
        text.append(decimal: cie.returnAddressRegister)
        text.endLine()
        if cie.augmentationData.isEmpty {
            text.endLine()
        } else {
            text.append(augmentationData: cie.augmentationData, of: section)
        }
    }

    private mutating func appendInstructions(
        _ instructions: Range<Int>, cie: ListedCIE, start: UInt64, _ walk: borrowing FrameWalk,
        _ names: borrowing RegisterNames
    ) {
        var reader = InstructionReader(walk.section, instructions: instructions, cie: cie.entry, function: start)
        var printer = InstructionPrinter(walk.section, cie: cie.entry, start: start)
        do throws(CFIError) {
            while let instruction = try reader.next() {
                text.append("  " as StaticString)
                text.append(printer.name(of: instruction))
                text.append(printer.separator(of: instruction))
                printer.appendOperands(of: instruction, to: &text, names)
                text.endLine()
            }
        } catch {
            report(walk.problem(error.description, at: reader.instructionOffset))
        }
    }
}
