import ArgumentParser
import ELF
import UnwindTable

struct LookupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Show the rule in force at addresses, in words.",
        discussion: """
            Addresses are those of the file (as nm and objdump show them), in hexadecimal. The file is an ELF \
            file, which is compiled in memory, or a table; or a build id in the cache (its beginning will do).

            Examples:
              cfic lookup /bin/bash 2f1b0
              cfic lookup 7a6c1b7e 0x2f1b0 0x2f1b1
            """)

    @Argument(
        help: ArgumentHelp("An ELF file, a table file or a build id.", valueName: "file|build-id"),
        completion: .file())
    var input: String

    @Argument(help: ArgumentHelp("Addresses to look up, in hexadecimal.", valueName: "pc"))
    var addresses: [Address]

    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions

    @Flag(help: "Report as JSON.")
    var json = false

    struct Answer: Encodable {
        var pc: UInt64
        /// The addresses for which the row holds: first, and the one behind the last.
        var start: UInt64?
        var limit: UInt64?
        var ruleNumber: Int
        var rule: String
        var reason: String?
        var function: String?
    }

    func validate() throws {
        if addresses.isEmpty { throw ValidationError("Name at least one address, such as 0x401136.") }
    }

    func run() throws {
        try reporting {
            let table = try LoadedTable(input, store: cache.store, debugFiles: debugFiles.search)
            let symbols = table.image.flatMap { try? $0.functionSymbols() }
            let answers = table.withView { self.answers($0, symbols) }
            if json { return try JSONOutput.print(answers) }
            var output = StandardOutput()
            for answer in answers { output.line(text(answer)) }
            output.flush()
        }
    }

    private func answers(_ table: TableView, _ symbols: FunctionSymbols?) -> [Answer] {
        var rows: [UInt64: Range<UInt64>] = [:]
        let wanted = Set(addresses.map(\.value))
        table.forEachRow { range, _ in
            for address in wanted where range.contains(address) { rows[address] = range }
        }
        return addresses.map { address in
            let number = table.ruleNumber(at: address.value)
            return Answer(
                pc: address.value, start: rows[address.value]?.lowerBound, limit: rows[address.value]?.upperBound,
                ruleNumber: number, rule: table.describe(number),
                reason: table.rules[number].reason?.name,
                function: symbols?.lookup(address.value).map { "\($0.name)+\(Quantity.hex($0.offset))" })
        }
    }

    private func text(_ answer: Answer) -> String {
        var text = Quantity.hex(answer.pc)
        if let function = answer.function { text += " <\(function)>" }
        if let start = answer.start, let limit = answer.limit {
            text += "  row \(Quantity.hex(start))..\(Quantity.hex(limit))"
        }
        return text + "\n  \(answer.rule)"
    }
}
