/// Lists call frame information for people: entry by entry, or row by row.
///
/// The text is that of `readelf --debug-dump=frames` and `--debug-dump=frames-interp`, line for line, so that the
/// two can be compared; except that
/// - an FDE that only consists of padding shows the row that it has from its CIE (readelf: none);
/// - `undef` is an undefined register, `u` one that nothing was said of (readelf: `u` for both, and for a CFA that
///   nothing was said of, register 0);
/// - instructions that advance by nothing make no row of their own, and rows end where the FDE does;
/// - numbers are 64 bits wide (readelf: offsets 32, in places);
/// - registers may have any number; AArch64's signed return addresses have a column, `sign`; so do instructions
///   that are newer than readelf;
/// - what is wrong with an entry stands below it, as `  error: .eh_frame+0x1c: …`, and the next entry follows.
public struct FrameListing {
    /// How much was listed.
    public struct Summary: Equatable, Sendable {
        /// CIEs and FDEs listed, bad ones included.
        public var entries = 0
        /// Rows of FDEs listed; CIEs' are not counted.
        public var rows = 0
        /// Entries with an error.
        public var problems = 0

        public init() {}
    }

    let sections: [FrameSection]
    let names: [String]

    /// - Parameters:
    ///   - sections: what to list, in this order.
    ///   - names: what to call the sections; where there is none, `.eh_frame` or `.debug_frame`.
    public init(sections: [FrameSection], names: [String] = []) {
        self.sections = sections
        self.names = sections.indices.map { index in
            if index < names.count { return names[index] }
            return sections[index].kind == .ehFrame ? ".eh_frame" : ".debug_frame"
        }
    }

    /// Writes CIEs and FDEs with their fields and instructions.
    ///
    /// - Parameter pc: list only FDEs whose range holds this SVMA, each with its CIE before it.
    @discardableResult
    public func writeEntries(to output: inout some TextOutputStream, pc: UInt64? = nil) -> Summary {
        withoutActuallyEscaping({ output.write($0) }) { write in
            var lister = EntryLister(text: ListingText(write: write), pc: pc)
            for index in sections.indices { lister.list(sections[index], name: names[index]) }
            lister.text.flush()
            return lister.summary
        }
    }

    /// Writes CIEs and FDEs with the rows that their instructions build.
    ///
    /// - Parameter pc: list only FDEs whose range holds this SVMA, and of each only the row that holds there.
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

/// What is wrong with an entry.
public struct ListingProblem: Error, Hashable, Encodable, Sendable, CustomStringConvertible {
    public var section: String
    /// Offset in the section of the entry or the instruction.
    public var offset: Int
    public var message: String

    public var description: String { "\(section)+0x\(String(offset, radix: 16)): \(message)" }
}
