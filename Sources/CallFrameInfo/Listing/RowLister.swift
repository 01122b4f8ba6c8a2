/// Writes entries with their rows.
struct RowLister: ~Copyable {
    var printer: RowPrinter
    private(set) var summary = FrameListing.Summary()
    private let pc: UInt64?

    init(printer: consuming RowPrinter, pc: UInt64?) {
        self.printer = printer
        self.pc = pc
    }

    /// Lists a section's entries. Writes nothing for an empty section.
    mutating func list(_ section: FrameSection, name: String) {
        if section.bytes.isEmpty { return }
        var walk = FrameWalk(section, name: name)
        guard let pc else {
            printer.text.append(headingOf: name)
            while let step = walk.next() { list(step, walk) }
            return printer.text.endLine()
        }
        var hasHeading = false
        while let step = walk.next() {
            guard case .fde(_, _, let fde) = step, fde.start <= pc, pc < fde.limit else { continue }
            if !hasHeading { printer.text.append(headingOf: name) }
            hasHeading = true
            list(step, walk)
        }
        if hasHeading { printer.text.endLine() }
    }

    private mutating func list(_ step: FrameWalk.Step, _ walk: borrowing FrameWalk) {
        switch step {
        case .terminator(let header):
            return printer.text.append(terminator: header)
        case .end(_, let problem):
            printer.text.append(byte: UInt8(ascii: "\n"))
            report(problem)
        case .malformed(let header, let problem):
            printer.text.append(malformed: header, of: walk.section)
            report(problem)
        case .cie(let header, let cie):
            list(header, cie, walk)
        case .fde(let header, let cie, let fde):
            printer.text.append(header, of: walk.section, addressSize: cie.entry.addressSize)
            printer.text.append(fde, cie: cie.entry)
            list(fde, cie, walk)
        }
        summary.entries += 1
    }

    private mutating func report(_ problem: ListingProblem) {
        summary.problems += 1
        printer.text.append(problem)
    }

    private mutating func list(_ header: EntryHeader, _ cie: ListedCIE, _ walk: borrowing FrameWalk) {
        let entry = cie.entry
        printer.text.append(header, of: walk.section, addressSize: entry.addressSize)
        printer.text.append("CIE \"" as StaticString)
        printer.text.append(escaping: UnsafeRawBufferPointer(rebasing: walk.section.bytes[entry.augmentation]))
        printer.text.append("\" cf=" as StaticString)
        printer.text.append(decimal: entry.codeAlignment)
        printer.text.append(" df=" as StaticString)
        printer.text.append(decimal: entry.dataAlignment)
        printer.text.append(" ra=" as StaticString)
        printer.text.append(decimal: entry.returnAddressRegister)
        printer.text.endLine()
        guard var initial = cie.interpreter?.initial else {
            return report(walk.problem((cie.error ?? .notACIE).description, at: entry.offset))
        }
        printer.begin(walk.section, cie: cie)
        withUnsafeMutablePointer(to: &initial) { printer.row(at: 0, $0) }
        reportIncomplete(walk, at: entry.offset)
    }

    private mutating func list(_ fde: FrameDescriptionEntry, _ cie: ListedCIE, _ walk: borrowing FrameWalk) {
        if let error = cie.error {
            return report(walk.problem("its CIE: \(error.description)", at: fde.offset))
        }
        printer.begin(walk.section, cie: cie, fde: fde)
        let before = printer.count
        let outcome = cie.interpreter?.run(fde, sink: &printer)
        if case .poisoned(let error, let location, let offset)? = outcome {
            printer.end(limit: location)
            let address = String(location, radix: 16)
            report(walk.problem("\(error.description); nothing is known from 0x\(address) on", at: offset))
        } else {
            printer.end(limit: .max)
        }
        summary.rows += printer.count - before
        reportIncomplete(walk, at: fde.offset)
    }

    private mutating func reportIncomplete(_ walk: borrowing FrameWalk, at offset: Int) {
        guard printer.isIncomplete else { return }
        let message = "has rules for more than \(AllRegisters.limit) registers; the rest is not shown"
        report(walk.problem(message, at: offset))
    }
}
