import JSONDocuments
import ArgumentParser
import CallFrameInfo
import ELF
import Files
import Glibc
import Symbols
import TableCompiler
import UnwindTable
import Validation

struct LookupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Show the unwind rule at an address, as text.",
        discussion: """
            Addresses are those of the file (as nm and objdump show them), in hexadecimal. The input is an ELF \
            file, which is compiled in memory, a table, or a build id in the cache (a prefix will do).

            --explain, which needs the ELF file, shows the call frame instructions up to the address, the row that \
            they build, the table's rule, and libdw's answer.

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
    @OptionGroup var demangling: DemangleOption

    @Flag(help: "Show the instructions behind the rule, and libdw's answer.")
    var explain = false

    @Flag(help: "Report as JSON.")
    var json = false

    struct Answers: JSONDocument {
        static let schema = "lookup"

        var answers: [Answer]
    }

    struct Explanations: JSONDocument {
        static let schema = "lookup --explain"

        var answers: [ExplanationReport]
    }

    struct Answer: Encodable {
        @HexAddress var address: UInt64
        /// SVMAs for which the row holds: the first, and the one after the last.
        @HexAddress var start: UInt64?
        @HexAddress var limit: UInt64?
        var ruleNumber: Int
        var rule: String
        /// What the rule comes from; nil without a rule.
        var source: String?
        var reason: String?
        var function: String?
        /// The symbol that `function` was demangled from.
        var mangledName: String?
        /// Offset from the function's start, in bytes.
        var functionOffset: UInt64?
    }

    func validate() throws {
        if addresses.isEmpty { throw ValidationError("Specify at least one address, such as 0x401136.") }
    }

    func run() throws {
        try reporting {
            if explain { return try explainAddresses() }
            let table = try LoadedTable(input, store: cache.store, debugFiles: debugFiles.search)
            let symbols = table.image.map { demangling.names(of: $0, debugFiles.search) }
            let answers = table.withView { self.answers($0, symbols) }
            if json { return try JSONText.print(Answers(answers: answers)) }
            var output = StandardOutput()
            for answer in answers {
                output.line(text(answer))
                output.line("  \(answer.rule)")
            }
            output.flush()
        }
    }

    private func explainAddresses() throws {
        guard input.withPath({ access($0, F_OK) }) == 0, try !LoadedTable.isTable(input) else {
            throw Failure("\(input): --explain needs the ELF file that the table was compiled from")
        }
        let image = try ELFImage(path: input)
        let explainer: ImageExplainer
        do {
            explainer = try ImageExplainer(image, store: nil, debugFiles: debugFiles.search)
        } catch let error as CompileError {
            guard case .skipped(let reason) = error else { throw error }
            throw Failure("\(input): \(reason)")
        }
        let symbols = demangling.names(of: image, debugFiles.search)
        let reports = zip(addresses, functions(symbols)).map { address, found in
            ExplanationReport(
                explainer.explain(address.value), found.0, offset: found.offset, machine: explainer.machine)
        }
        if json { return try JSONText.print(Explanations(answers: reports)) }
        var output = StandardOutput()
        for report in reports { report.write(to: &output) }
        output.flush()
    }

    private func answers(_ table: TableView, _ symbols: ImageNames?) -> [Answer] {
        var rows: [UInt64: Range<UInt64>] = [:]
        let wanted = Set(addresses.map(\.value))
        table.forEachRow { range, _ in
            for address in wanted where range.contains(address) { rows[address] = range }
        }
        return zip(addresses, functions(symbols)).map { address, found in
            let number = table.ruleNumber(at: address.value)
            return Answer(
                address: address.value, start: rows[address.value]?.lowerBound, limit: rows[address.value]?.upperBound,
                ruleNumber: number, rule: table.describe(number),
                source: number == 0 ? nil : table.source(at: address.value).name,
                reason: table.rules[number].reason?.name,
                function: found.0?.name, mangledName: found.0?.mangledName, functionOffset: found.offset)
        }
    }

    /// The functions at the addresses, and the addresses' offsets from their starts.
    private func functions(_ symbols: ImageNames?) -> [(DemangleOption.Function?, offset: UInt64?)] {
        let found = addresses.map { symbols?.lookup($0.value) }
        return zip(demangling.functions(found.map { $0?.name }), found).map { ($0, $1?.offset) }
    }

    /// 0x401136 <main+0x8>
    static func heading(_ address: UInt64, _ function: String?, _ offset: UInt64?) -> String {
        address.hex + (function.map { " <\($0)+\((offset ?? 0).hex)>" } ?? "")
    }

    private func text(_ answer: Answer) -> String {
        var text = Self.heading(answer.address, answer.function, answer.functionOffset)
        if let start = answer.start, let limit = answer.limit {
            text += "  row \(start.hex)..\(limit.hex)"
        }
        return text
    }
}
