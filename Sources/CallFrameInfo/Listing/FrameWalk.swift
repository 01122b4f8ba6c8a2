/// A CIE prepared for listings, once for all FDEs that refer to it.
final class ListedCIE {
    let entry: CommonInformationEntry
    /// The registers that its instructions set rules for, in ascending order.
    let touched: [UInt64]
    /// Runs its FDEs; nil if its own instructions are invalid.
    var interpreter: Interpreter<AllRegisters>?
    /// The error in its instructions, if any.
    let error: CFIError?

    init(_ section: FrameSection, _ entry: CommonInformationEntry) {
        self.entry = entry
        var touched: [UInt64] = []
        touched.addRegisters(of: entry.initialInstructions, section, cie: entry)
        self.touched = touched
        do throws(CFIError) {
            interpreter = try Interpreter(section, cie: entry, columns: AllRegisters())
            error = nil
        } catch {
            interpreter = nil
            self.error = error
        }
    }
}

/// Iterates over the entries of a section in file order, and skips malformed ones if it can.
struct FrameWalk: ~Copyable {
    enum Step {
        /// A run of zero lengths as one step, because padding may be long.
        case terminator(EntryHeader)
        case cie(EntryHeader, ListedCIE)
        case fde(EntryHeader, ListedCIE, FrameDescriptionEntry)
        /// An entry whose length is valid, but not the rest.
        case malformed(EntryHeader, ListingProblem)
        /// The entry's length is invalid, so no entry after it can be found.
        case end(offset: Int, ListingProblem)
    }

    let section: FrameSection
    /// The section's name in messages.
    let name: String
    private var position = 0
    private var cies: [Int: Result<ListedCIE, CIEFailure>] = [:]
    private var lastOffset = -1
    private var lastCIE: ListedCIE?
    /// Bytes of CIEs that may still be read. A linker's CIEs don't overlap, but a hostile file's FDEs can point to any
    /// byte as their CIE. Reading overlapping CIEs could take time quadratic in the section's size.
    private var budget: Int

    init(_ section: FrameSection, name: String) {
        self.section = section
        self.name = name
        budget = section.bytes.count * 16
    }

    /// The next entry; nil at the end.
    mutating func next() -> Step? {
        guard position < section.bytes.count else { return nil }
        let offset = position
        var header: EntryHeader
        do throws(CFIError) {
            header = try section.entryHeader(at: offset)
        } catch {
            position = section.bytes.count
            return .end(offset: offset, problem(error.description, at: offset))
        }
        position = header.end
        if header.isTerminator {
            if section.endsAtTerminator {
                position = section.bytes.count
                return .terminator(header)
            }
            while let following = try? section.entryHeader(at: header.end), following.isTerminator {
                header.end = following.end
            }
            position = header.end
            return .terminator(header)
        }
        do {
            guard let cieOffset = header.cieOffset else { return .cie(header, try cie(at: offset)) }
            let cie = try self.cie(at: cieOffset)
            return .fde(header, cie, try section.frameDescriptionEntry(header, cie: cie.entry))
        } catch let failure as CIEFailure {
            return .malformed(header, problem(failure.message(of: header), at: offset))
        } catch {
            return .malformed(header, problem("\(error)", at: offset))
        }
    }

    func problem(_ message: String, at offset: Int) -> ListingProblem {
        ListingProblem(section: name, offset: offset, message: message)
    }

    private mutating func cie(at offset: Int) throws(CIEFailure) -> ListedCIE {
        if offset == lastOffset, let lastCIE { return lastCIE }
        let result: Result<ListedCIE, CIEFailure>
        if let known = cies[offset] {
            result = known
        } else {
            result = readCIE(at: offset)
            cies[offset] = result
        }
        let cie = try result.get()
        lastOffset = offset
        lastCIE = cie
        return cie
    }

    private mutating func readCIE(at offset: Int) -> Result<ListedCIE, CIEFailure> {
        do throws(CFIError) {
            guard offset >= 0, offset < section.bytes.count else { throw .ciePointerOutOfBounds }
            let size = try section.entryHeader(at: offset).end - offset
            guard size <= budget else { return .failure(.overlapsMany) }
            budget -= size
            return .success(ListedCIE(section, try section.commonInformationEntry(at: offset)))
        } catch {
            return .failure(.malformed(error))
        }
    }
}

/// Why a CIE couldn't be read.
private enum CIEFailure: Error {
    case malformed(CFIError)
    /// The budget is used up.
    case overlapsMany

    /// The message for the entry with this header: the CIE itself, or an FDE that refers to it.
    func message(of header: EntryHeader) -> String {
        switch self {
        case .overlapsMany: "CIEs overlap each other too often for this one to be read"
        case .malformed(.ciePointerOutOfBounds): CFIError.ciePointerOutOfBounds.description
        case .malformed(.notACIE): CFIError.notACIE.description
        case .malformed(let error): header.cieOffset == nil ? error.description : "its CIE: \(error.description)"
        }
    }
}

extension [UInt64] {
    /// Adds the registers that the instructions set rules for, in ascending order. Keeps at most one register more than
    /// `AllRegisters` does, which shows that there are too many.
    mutating func addRegisters(
        of instructions: Range<Int>, _ section: FrameSection, cie: borrowing CommonInformationEntry
    ) {
        var reader = InstructionReader(section, instructions: instructions, cie: cie)
        // Rows end at the first invalid instruction too.
        while let instruction = try? reader.next() {
            switch instruction.opcode {
            case Opcode.offset, Opcode.restore, Opcode.offsetExtended...Opcode.register, Opcode.expression,
                Opcode.offsetExtendedSF, Opcode.valOffset...Opcode.valExpression, Opcode.gnuNegativeOffsetExtended:
                insertSorted(instruction.register)
            case Opcode.gnuWindowSave where section.isSPARC:
                for register in FrameSection.sparcWindow { insertSorted(register) }
            case Opcode.gnuWindowSave, Opcode.aarch64NegateRAStateWithPC, Opcode.aarch64SetRAState:
                insertSorted(AllRegisters.signingStateRegister)
            default: break
            }
        }
    }

    private mutating func insertSorted(_ register: UInt64) {
        var place = count
        while place > 0, self[place - 1] >= register {
            place -= 1
            if self[place] == register { return }
        }
        if count <= AllRegisters.limit { insert(register, at: place) }
    }
}
