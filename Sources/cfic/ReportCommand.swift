import ArgumentParser
import ProfileFormats
import Symbols

extension ProfileTotals.Part: ExpressibleByArgument {}

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show what is in a profile: functions, calls, threads; compare two; convert.",
        discussion: """
            Reads profiles of cfic (.cfic), of pprof (.pb.gz) and folded stacks, whoever wrote them, and prints where \
            the time, or whatever was counted, goes: for each function what is its own, and the total with all that it \
            calls.

            With -o or --format, writes the profile in another format, as `cfic profile` does.

            With --diff OLD, shows what has changed since another profile, in points of percent, so that it doesn't \
            matter how long each of them took; -o FILE.html and FILE.svg then have colours for more and less.

            Examples:
              cfic report cpu.cfic
              cfic report cpu.cfic --by thread
              cfic report cpu.cfic --tree --min 2          calls with at least 2 % of all
              cfic report cpu.cfic --callers malloc
              cfic report cpu.pb.gz -o cpu.html
              cfic report cpu.cfic --inline --by line
              cfic report new.cfic --diff old.cfic -o change.html
              cfic report cpu.cfic --json | jq '.parts[0]'
            """)

    @Argument(
        help: ArgumentHelp("A profile: .cfic, .pb.gz or folded stacks.", valueName: "file"), completion: .file())
    var file: String

    @Option(help: ArgumentHelp("What to divide by: \(Self.parts). (default: function)", valueName: "part"))
    var by: ProfileTotals.Part?

    @Flag(help: "Show the tree of calls, from the outermost functions.")
    var tree = false

    @Option(help: ArgumentHelp("Show who calls this function.", valueName: "function"))
    var callers: String?

    @Option(help: ArgumentHelp("Show what this function calls.", valueName: "function"))
    var callees: String?

    @Option(help: ArgumentHelp("Compare with this earlier profile.", valueName: "old"), completion: .file())
    var diff: String?

    @Option(
        name: [.customShort("n"), .customLong("limit")],
        help: ArgumentHelp("Print at most this many lines. (default: 30; of trees: all)", valueName: "lines"))
    var limit: Int?

    @Option(
        help: ArgumentHelp("Of trees: leave out what has less than this share. (default: 1)", valueName: "percent"))
    var min: Double?

    @Flag(
        name: .customLong("inline"),
        help: "Look up names again, with inlined functions and lines, in files that have the recorded build ids.")
    var inlines = false

    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var output: OutputOptions

    private static let parts = ProfileTotals.Part.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        let views = [by != nil, tree, callers != nil, callees != nil]
        if views.count(where: { $0 }) > 1 {
            throw ValidationError("--by, --tree, --callers and --callees exclude each other.")
        }
        if diff != nil, tree || callers != nil || callees != nil {
            throw ValidationError("--diff compares tables: it doesn't go with --tree, --callers and --callees.")
        }
        if let limit, limit < 1 { throw ValidationError("-n takes a number of at least 1.") }
        if let min, !(0...100).contains(min) { throw ValidationError("--min takes a percentage.") }
        if min != nil, !tree, callers == nil, callees == nil {
            throw ValidationError("--min goes with --tree, --callers and --callees.")
        }
    }

    func run() throws {
        try reporting {
            let outputs = output.isAsked ? try output.outputs() : []
            try checkEffect(on: outputs)
            let profile = try read(file), old = try diff.map(read)
            let view = try view(of: profile)
            guard !outputs.isEmpty else {
                return try ReportText(profile, old: old, limit: limit).write(view)
            }
            var failure: (any Error)?
            for output in outputs {
                let format = Self.format(output.format, ReportFormat(view: view, old: old, limit: limit), old: old)
                do { try output.write(profile, as: format) } catch {
                    if let failure { Diagnostics.error("\(failure)") }
                    failure = error
                }
            }
            if let failure { throw failure }
        }
    }

    /// Options that would have no effect on what is written are mistakes.
    private func checkEffect(on outputs: [ProfileOutput]) throws {
        if outputs.isEmpty { return }
        let isView = by != nil || tree || callers != nil || callees != nil || limit != nil
        if isView, !outputs.contains(where: { $0.format is JSONFormat }) {
            throw ValidationError(
                "--by, --tree, --callers, --callees and -n choose what is printed, or is in JSON: other formats have all."
            )
        }
        if diff != nil, outputs.contains(where: { !Self.showsChanges($0.format) }) {
            throw ValidationError("--diff can be written as .html, .svg and .json.")
        }
    }

    private static func showsChanges(_ format: any ProfileFormat) -> Bool {
        format is HTMLFormat || format is SVGFormat || format is JSONFormat
    }

    private func read(_ path: String) throws -> NamedProfile {
        let profile = try ProfileReader.read(path)
        guard profile.total.total > 0 else { throw Failure("\(path): there are no samples in it") }
        guard inlines else { return profile }
        var naming = ProfileNaming(debugFiles: debugFiles.search, inlines: true)
        let named = naming.named(profile)
        for problem in naming.problems { Diagnostics.error(problem) }
        if naming.fileCount == 0 {
            Diagnostics.remark("\(path): none of its files is here with the same build id; names stay as they are")
        }
        return named
    }

    private func view(of profile: NamedProfile) throws -> ReportView {
        if tree { return .tree(CallTree(of: profile), least: min ?? 1) }
        if let callers {
            let functions = try FunctionsNamed(callers, in: profile)
            return .tree(CallTree(callersOf: functions.contains, in: profile), least: min ?? 1)
        }
        if let callees {
            let functions = try FunctionsNamed(callees, in: profile)
            return .tree(CallTree(calleesOf: functions.contains, in: profile), least: min ?? 1)
        }
        return .parts(by ?? .function)
    }

    /// Formats of profiles are as they are; JSON is that of the report, and flame graphs show changes if there are any.
    private static func format(
        _ format: any ProfileFormat, _ report: ReportFormat, old: NamedProfile?
    ) -> any ProfileFormat {
        switch format {
        case is JSONFormat: report
        case is HTMLFormat: HTMLFormat(comparedWith: old)
        case is SVGFormat: SVGFormat(comparedWith: old)
        default: format
        }
    }
}

/// What a report shows.
enum ReportView {
    case parts(ProfileTotals.Part)
    /// Nodes with at least this share, in percent.
    case tree(CallTree, least: Double)
}

/// The functions that a user means by a name: its symbol, or its name with or without its parameters.
struct FunctionsNamed {
    private let ids: Set<NameTable.ID>

    /// - Throws: ``Failure`` if there are none.
    init(_ text: String, in profile: NamedProfile) throws {
        var all: Set<NameTable.ID> = [], found: Set<NameTable.ID> = []
        for frame in profile.frames {
            guard all.insert(frame.function).inserted || frame.symbol != frame.function else { continue }
            let name = profile.names[frame.function]
            if name == text || profile.names[frame.symbol] == text
                || name.hasPrefix(text) && name.dropFirst(text.count).first == "("
            {
                found.insert(frame.function)
            }
        }
        guard !found.isEmpty else {
            let question = NearestNames.of(text, among: all.map { profile.names[$0] }.sorted()).question
            throw Failure("no function '\(text)' is in the profile\(question)")
        }
        ids = found
    }

    func contains(_ frame: NamedProfile.Frame) -> Bool { ids.contains(frame.function) }
}
