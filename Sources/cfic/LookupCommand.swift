import ArgumentParser
import ELF
import Glibc
import TableCompiler
import UnwindTable
import Validation

struct LookupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Show the rule in force at addresses, in words.",
        discussion: """
            Addresses are those of the file (as nm and objdump show them), in hexadecimal. The file is an ELF \
            file, which is compiled in memory, or a table; or a build id in the cache (its beginning will do).

            With --explain, which needs the ELF file: the call frame instructions that led to the address, the row \
            that they build, the table's rule, and libdw's answer.

            Examples:
              cfic lookup /bin/bash 2f1b0
              cfic lookup 7a6c1b7e 0x2f1b0 0x2f1b1
              cfic lookup --explain /bin/bash 2f1b0
            """)

    @Argument(
        help: ArgumentHelp("An ELF file, a table file or a build id.", valueName: "file|build-id"),
        completion: .file())
    var input: String

    @Argument(help: ArgumentHelp("Addresses to look up, in hexadecimal.", valueName: "pc"))
    var addresses: [Address]

    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions

    @Flag(help: "Show what led to the rule, and what libdw says.")
    var explain = false

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
            if explain { return try explainAddresses() }
            let table = try LoadedTable(input, store: cache.store, debugFiles: debugFiles.search)
            let symbols = table.image.flatMap { try? $0.functionSymbols() }
            let answers = table.withView { self.answers($0, symbols) }
            if json { return try JSONOutput.print(answers) }
            var output = StandardOutput()
            for answer in answers { output.line(text(answer)) }
            output.flush()
        }
    }

    private func explainAddresses() throws {
        guard access(input, F_OK) == 0, try !LoadedTable.isTable(input) else {
            throw Failure("\(input): --explain needs the ELF file that the table is of")
        }
        let image = try ELFImage(path: input)
        let explainer: ImageExplainer
        do {
            explainer = try ImageExplainer(image, store: nil, debugFiles: debugFiles.search)
        } catch let error as CompileError {
            guard case .skipped(let reason) = error else { throw error }
            throw Failure("\(input): \(reason)")
        }
        let symbols = try? image.functionSymbols()
        let reports = addresses.map { address in
            ExplanationReport(
                explainer.explain(address.value),
                function: Self.name(of: address.value, symbols),
                machine: explainer.machine)
        }
        if json { return try JSONOutput.print(reports) }
        var output = StandardOutput()
        for report in reports { report.write(to: &output) }
        output.flush()
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
                function: Self.name(of: address.value, symbols))
        }
    }

    private static func name(of address: UInt64, _ symbols: FunctionSymbols?) -> String? {
        symbols?.lookup(address).map { "\($0.name)+\(Quantity.hex($0.offset))" }
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
