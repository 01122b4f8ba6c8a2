extension FrameListing {
    /// The optional parts that `forEachEntry` fills in.
    public struct Parts: OptionSet, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let instructions = Parts(rawValue: 1)
        public static let rows = Parts(rawValue: 2)
    }

    /// Calls `body` with each entry, in file order.
    ///
    /// - Parameter pc: if given, only FDEs whose range contains this SVMA, each with only the row for it. With
    ///   instructions, each is preceded by its CIE.
    public func forEachEntry(
        _ parts: Parts, pc: UInt64? = nil, _ body: (ListedEntry) throws -> Void
    ) rethrows {
        for index in sections.indices {
            let builder = ListedEntryBuilder(section: sections[index], name: names[index], parts: parts, pc: pc)
            var walk = FrameWalk(sections[index], name: names[index])
            var lastCIE = -1
            while let step = walk.next() {
                if let pc {
                    guard case .fde(_, let cie, let fde) = step, fde.start <= pc, pc < fde.limit else { continue }
                    let offset = cie.entry.offset
                    if parts.contains(.instructions), offset != lastCIE,
                        let header = try? sections[index].entryHeader(at: offset)
                    {
                        try body(builder.entry(.cie(header, cie), walk))
                        lastCIE = offset
                    }
                }
                try body(builder.entry(step, walk))
            }
        }
    }
}

/// Converts a walk's steps to `ListedEntry`s.
private struct ListedEntryBuilder {
    let section: FrameSection
    let name: String
    let parts: FrameListing.Parts
    let pc: UInt64?
    let names: RegisterNames

    init(section: FrameSection, name: String, parts: FrameListing.Parts, pc: UInt64?) {
        self.section = section
        self.name = name
        self.parts = parts
        self.pc = pc
        names = RegisterNames(machine: section.machine)
    }

    func entry(_ step: FrameWalk.Step, _ walk: borrowing FrameWalk) -> ListedEntry {
        switch step {
        case .terminator(let header):
            return ListedEntry(header, .terminator, name)
        case .end(let offset, let problem):
            return ListedEntry(kind: .malformed, section: name, offset: offset, bytes: 0, problems: [problem])
        case .malformed(let header, let problem):
            var entry = ListedEntry(header, .malformed, name)
            entry.problems = [problem]
            return entry
        case .cie(let header, let cie):
            var entry = ListedEntry(header, .cie, name)
            entry.cie = ListedCIEFields(cie.entry, section)
            if parts.contains(.instructions) {
                appendInstructions(cie.entry.initialInstructions, cie, start: 0, to: &entry, walk)
            }
            if parts.contains(.rows) {
                var rows = RowCollector(section, names, pc: nil)
                if var initial = cie.interpreter?.initial {
                    withUnsafeMutablePointer(to: &initial) { rows.row(at: 0, $0) }
                }
                entry.rows = rows.rows
                if let error = cie.error { entry.problems.append(walk.problem(error.description, at: header.offset)) }
            }
            return entry
        case .fde(let header, let cie, let fde):
            var entry = ListedEntry(header, .fde, name)
            entry.fde = ListedFDEFields(cieOffset: cie.entry.offset, start: fde.start, limit: fde.limit)
            if parts.contains(.instructions) {
                appendInstructions(fde.instructions, cie, start: fde.start, to: &entry, walk)
            }
            if parts.contains(.rows) { appendRows(fde, cie, to: &entry, walk) }
            return entry
        }
    }

    private func appendInstructions(
        _ range: Range<Int>, _ cie: ListedCIE, start: UInt64, to entry: inout ListedEntry, _ walk: borrowing FrameWalk
    ) {
        var reader = InstructionReader(section, instructions: range, cie: cie.entry, function: start)
        var printer = InstructionPrinter(section, cie: cie.entry, start: start)
        var instructions: [ListedInstruction] = []
        do throws(CFIError) {
            while let instruction = try reader.next() {
                let operands = ListingText.string { printer.appendOperands(of: instruction, to: &$0, names) }
                instructions.append(
                    ListedInstruction(
                        offset: instruction.offset, name: printer.name(of: instruction).description,
                        operands: operands.isEmpty ? nil : operands,
                        address: entry.kind == .fde ? printer.location : nil))
            }
        } catch {
            entry.problems.append(walk.problem(error.description, at: reader.instructionOffset))
        }
        entry.instructions = instructions
    }

    private func appendRows(
        _ fde: FrameDescriptionEntry, _ cie: ListedCIE, to entry: inout ListedEntry, _ walk: borrowing FrameWalk
    ) {
        var rows = RowCollector(section, names, pc: pc)
        if let error = cie.error {
            entry.problems.append(walk.problem("its CIE: \(error.description)", at: fde.offset))
        } else if case .poisoned(let error, let location, let offset)? = cie.interpreter?.run(fde, sink: &rows) {
            rows.end(at: location)
            // If instructions are listed, they already reported the same error.
            let problem = walk.problem(error.description, at: offset)
            if !entry.problems.contains(problem) { entry.problems.append(problem) }
        } else {
            rows.end(at: fde.limit)
        }
        if rows.isIncomplete {
            entry.problems.append(
                walk.problem("has rules for more than \(AllRegisters.limit) registers", at: fde.offset))
        }
        entry.rows = rows.rows
    }
}

extension ListedEntry {
    fileprivate init(_ header: EntryHeader, _ kind: Kind, _ section: String) {
        self.init(kind: kind, section: section, offset: header.offset, bytes: header.end - header.offset)
    }
}

extension ListedCIEFields {
    fileprivate init(_ cie: CommonInformationEntry, _ section: FrameSection) {
        let augmentation = UnsafeRawBufferPointer(rebasing: section.bytes[cie.augmentation])
        self.init(
            version: cie.version, augmentation: ListingText.string { $0.append(escaping: augmentation) },
            addressBytes: cie.addressSize, codeAlignment: cie.codeAlignment, dataAlignment: cie.dataAlignment,
            returnAddressRegister: cie.returnAddressRegister, isSignalFrame: cie.isSignalFrame,
            usesBKey: cie.usesBKey, isTagged: cie.isTagged)
    }
}
