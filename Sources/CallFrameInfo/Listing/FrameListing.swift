/// Lists call frame information as text, entry by entry or row by row.
///
/// The text equals that of `readelf --debug-dump=frames` and `--debug-dump=frames-interp`, line for line, so that the
/// two can be compared, with these exceptions:
/// - An FDE that consists only of padding shows the row from its CIE (readelf: no row).
/// - `undef` is an undefined register, `u` one without a rule (readelf: `u` for both, and register 0 for a CFA without
///   a rule).
/// - Advances by zero make no row of their own, and rows end at the FDE's end.
/// - Numbers have 64 bits (readelf: some offsets have 32).
/// - Registers may have any number. AArch64's signed return addresses have a column, `sign`. Instructions that are
///   newer than readelf are printed.
/// - An error in an entry is printed below it, as `  error: .eh_frame+0x1c: …`, and the listing continues.
public struct FrameListing {
    /// Counts of what was listed.
    public struct Summary: Equatable, Sendable {
        /// CIEs and FDEs, including malformed ones.
        public var entries = 0
        /// Rows of FDEs; those of CIEs are not counted.
        public var rows = 0
        /// Errors.
        public var problems = 0

        public init() {}
    }

    let sections: [FrameSection]
    let names: [String]

    /// - Parameters:
    ///   - sections: the sections to list, in this order.
    ///   - names: the sections' names; missing ones default to `.eh_frame` or `.debug_frame`.
    public init(sections: [FrameSection], names: [String] = []) {
        self.sections = sections
        self.names = sections.indices.map { index in
            if index < names.count { return names[index] }
            return sections[index].kind == .ehFrame ? ".eh_frame" : ".debug_frame"
        }
    }

    /// Writes CIEs and FDEs with their fields and instructions.
    ///
    /// - Parameter pc: if given, list only FDEs whose range contains this SVMA, each preceded by its CIE.
    @discardableResult
    public func writeEntries(to output: inout some TextOutputStream, pc: UInt64? = nil) -> Summary {
        withoutActuallyEscaping({ output.write($0) }) { write in
            var lister = EntryLister(text: ListingText(write: write), pc: pc)
            for index in sections.indices { lister.list(sections[index], name: names[index]) }
            lister.text.flush()
            return lister.summary
        }
    }

    /// Writes CIEs and FDEs with the rows of their instructions.
    ///
    /// - Parameter pc: if given, list only FDEs whose range contains this SVMA, each with only the row for it.
    @discardableResult
    public func writeRows(to output: inout some TextOutputStream, pc: UInt64? = nil) -> Summary {
        withoutActuallyEscaping({ output.write($0) }) { write in
            let registers = RegisterNames(machine: sections.first?.machine ?? 0)
            let printer = RowPrinter(text: ListingText(write: write), names: registers, pc: pc)
            var lister = RowLister(printer: printer, pc: pc)
            for index in sections.indices { lister.list(sections[index], name: self.names[index]) }
            lister.printer.text.flush()
            return lister.summary
        }
    }
}

/// An error in an entry.
public struct ListingProblem: Error, Hashable, Encodable, Sendable, CustomStringConvertible {
    public var section: String
    /// Offset of the entry or the instruction in the section.
    public var offset: Int
    public var message: String

    public var description: String { "\(section)+0x\(String(offset, radix: 16)): \(message)" }
}
