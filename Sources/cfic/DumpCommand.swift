import JSONDocuments
import ArgumentParser
import CallFrameInfo
import ELF
import Files
import TableBuilder
import TableCompiler
import TableStore
import UnwindTable

struct DumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Show a file's call frame information, or its table, at each stage.",
        discussion: """
            entries  CIEs and FDEs with their instructions    (as readelf -wf shows them)
            rows     the rows that they build, all registers  (as readelf -wF shows them)
            rules    what the rows lower to, as text
            pages    the table's pages and their sizes

            Entries and rows have readelf's text, except where readelf is wrong or shows less: a register that is \
            undefined, not just unspecified, is `undef`, and an FDE that contains only padding has its CIE's row.

            A table has only rules and pages. Relocatable files are shown relocated, each section at address 0.

            Examples:
              cfic dump --stage rows /bin/bash --pc 2f1b0
              diff <(readelf -wF /bin/true) <(cfic dump --stage rows /bin/true)
              cfic dump --stage pages bash.unwind
            """)

    enum Stage: String, ExpressibleByArgument, CaseIterable {
        case entries, rows, rules, pages
    }

    @Argument(
        help: ArgumentHelp("An ELF file, a table, or a build id in the cache.", valueName: "file|build-id"),
        completion: .file())
    var file: String

    @Option(help: ArgumentHelp("What to show. (default: rows; of a table: rules)", valueName: "stage"))
    var stage: Stage?

    @Option(help: ArgumentHelp("Show only entries for this address.", valueName: "address"))
    var pc: Address?

    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions

    @Flag(help: "Report as JSON.")
    var json = false

    func run() throws {
        try reporting {
            let isCached = LoadedTable.isBuildID(file)
            if try isCached || LoadedTable.isTable(file) {
                if stage == .entries || stage == .rows {
                    throw Failure("\(file): a table has no entries or rows: specify its ELF file, or use --stage rules")
                }
                let table =
                    try isCached
                    ? LoadedTable(buildID: file, store: cache.store()) : LoadedTable(TableFile(named: file), file)
                try dump(table, stage ?? .rules)
            } else {
                try dumpImage(ELFImage(path: file))
            }
        }
    }

    private func dumpImage(_ image: ELFImage) throws {
        let stage = stage ?? .rows
        let isRelocatable = image.fileType == .relocatable
        switch stage {
        case .entries, .rows: try list(image, stage)
        case .rules where isRelocatable: try dumpFrames(image)
        case .rules, .pages: try dump(LoadedTable(compiling: file, debugFiles: debugFiles.search), stage)
        }
    }

    // MARK: Entries and rows

    private func list(_ image: ELFImage, _ stage: Stage) throws {
        let sources = try FrameSources(of: image, search: debugFiles.search)
        defer { withExtendedLifetime(sources) {} }
        guard !sources.sections.isEmpty else { throw Failure("\(file): no call frame information") }
        for note in sources.notes { Diagnostics.remark(note) }
        let listing = FrameListing(sections: sources.sections)
        if json {
            var entries: [ListedEntry] = []
            listing.forEachEntry(stage == .rows ? .rows : .instructions, pc: pc?.value) { entries.append($0) }
            try sources.checkAreWhole()
            try JSONText.print(EntryDump(entries: entries))
            return try checkIsCovered(entries.count)
        }
        var output = StandardOutput()
        let summary =
            stage == .rows
            ? listing.writeRows(to: &output, pc: pc?.value) : listing.writeEntries(to: &output, pc: pc?.value)
        output.flush()
        try sources.checkAreWhole()
        try checkIsCovered(summary.entries)
    }

    private func checkIsCovered(_ entries: Int) throws {
        if let pc, entries == 0 { throw Failure("\(file): no FDE covers \(pc.value.hex)") }
    }

    // MARK: Rules

    private struct EntryDump: JSONDocument {
        static let schema = "dump --stage entries, rows"

        var entries: [ListedEntry]
    }

    private struct RuleDump: JSONDocument {
        static let schema = "dump --stage rules"

        var rows: [RuleRow]
    }

    struct RuleRow: Encodable {
        @HexAddress var start: UInt64
        @HexAddress var limit: UInt64
        var rule: String
        /// What the rule comes from; nil without a rule, and for relocatable files.
        var source: String?
    }

    private func dump(_ table: LoadedTable, _ stage: Stage) throws {
        try table.withView { view in
            if stage == .pages { return try PageDump(view, pc: pc?.value).write(json: json) }
            try write { row in
                view.forEachRow { range, number in
                    if number == 0 { return }
                    row(
                        RuleRow(
                            start: range.lowerBound, limit: range.upperBound, rule: view.describe(number),
                            source: view.source(at: range.lowerBound).name))
                }
            }
        }
    }

    /// Prints each FDE separately, because those of a relocatable file overlap.
    private func dumpFrames(_ image: ELFImage) throws {
        guard let machine = TableMachine(rawValue: image.machine.rawValue), image.is64Bit else {
            throw Failure("\(file): rules are made for x86-64 and aarch64, not for \(image.machine.name)")
        }
        let sources = try FrameSources(of: image, search: nil)
        defer { withExtendedLifetime(sources) {} }
        for note in sources.notes { Diagnostics.remark(note) }
        let lowered = LoweredFrames(sources.sections, sources: sources.kinds, machine: machine)
        try sources.checkAreWhole()
        try write { row in
            lowered.operations.withUnsafeBufferPointer { operations in
                let text = RuleText(machine: machine, operations: operations)
                for frame in lowered.frames {
                    for (position, this) in frame.rows.enumerated() {
                        let limit = position + 1 < frame.rows.count ? frame.rows[position + 1].address : frame.limit
                        row(RuleRow(start: this.address, limit: limit, rule: text.text(of: lowered.rules[this.rule])))
                    }
                }
            }
        }
    }

    /// Writes the rows that `body` generates, except those outside `--pc`.
    private func write(_ body: ((RuleRow) -> Void) -> Void) throws {
        var rows: [RuleRow] = []
        var output = StandardOutput()
        body { row in
            if let pc, !(row.start..<max(row.start, row.limit)).contains(pc.value) { return }
            if json { return rows.append(row) }
            output.line(
                "\(Hex.text(row.start, digits: 16))..\(Hex.text(row.limit, digits: 16))  \(row.rule)")
        }
        if json { try JSONText.print(RuleDump(rows: rows)) } else { output.flush() }
    }
}
