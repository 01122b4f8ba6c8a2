import JSONDocuments
import CallFrameInfo
import Files
import TableCompiler
import UnwindTable
import Validation

/// A report of `cfic validate`.
protocol ValidationOutput: JSONDocument {
    /// Whether no unexplained difference remains and all files could be read.
    var isGood: Bool { get }
    func write()
}

/// The results of `cfic validate PATH…`.
struct ValidationReport: ValidationOutput {
    static let schema = "validate"

    struct Difference: Encodable {
        /// SVMA.
        @HexAddress var address: UInt64
        /// The table's rule, as text.
        var rule: String
        var table: String
        var reference: String
    }

    struct File: Encodable {
        var path: String
        var isFromCache: Bool
        var probes: Int
        var agreements: Int
        /// The number of differences with a name, by name.
        var knownDifferences: [String: Int]
        /// The number of addresses where the table has a reason and libdw an answer, by reason.
        var unsaidByTable: [String: Int]
        /// The number of addresses where the table has a rule and libdw no answer, by the missing part. These are
        /// disagreements.
        var unsaidByReference: [String: Int]
        var disagreements: Int
        var firstDisagreements: [Difference]
    }

    var files: [File] = []
    var skipped: [String] = []
    var failures: [String] = []

    var isEmpty: Bool { files.isEmpty && skipped.isEmpty && failures.isEmpty }
    var isGood: Bool { failures.isEmpty && files.allSatisfy { $0.disagreements == 0 } }

    /// - Parameter outcomes: one for each file of the walk, in the same order.
    init(_ walk: FileWalk, _ outcomes: [TreeValidation.Outcome]) {
        failures = walk.problems.map { "\($0.path): \($0.problem)" }
        for (file, outcome) in zip(walk.files, outcomes) {
            switch outcome {
            case .compared(let result): files.append(File(file.path, result))
            case .skipped(let reason) where file.isNamed: failures.append("\(file.path): \(reason)")
            case .skipped(let reason): skipped.append("\(file.path): \(reason)")
            case .failed(let problem): failures.append(problem)
            case .notELF: break
            }
        }
    }

    func write() {
        var output = StandardOutput()
        for file in files { file.write(to: &output) }
        if !files.isEmpty { writeSummary(to: &output) }
        if !skipped.isEmpty { output.line("  \(Quantity.count(skipped.count)) files have no table") }
        output.flush()
        for failure in failures { Diagnostics.error(failure) }
    }

    private func writeSummary(to output: inout StandardOutput) {
        func sum(_ count: (File) -> Int) -> Int { files.reduce(0) { $0 + count($1) } }
        func text(_ count: (File) -> Int) -> String { Quantity.count(sum(count)) }
        output.line(
            "\(Quantity.count(files.count, "file")), \(text(\.probes)) probes: "
                + "\(text(\.agreements)) agree, \(text(\.disagreements)) disagree")
        for known in KnownDifference.allCases {
            let count = sum { $0.knownDifferences[JSONText.name(known.rawValue)] ?? 0 }
            if count > 0 { output.line("  \(Quantity.count(count)) known: \(known.text)") }
        }
        for (what, counts) in [("the table", \File.unsaidByTable), ("libdw", \File.unsaidByReference)] {
            for reason in Set(files.flatMap { $0[keyPath: counts].keys }).sorted() {
                let count = sum { $0[keyPath: counts][reason] ?? 0 }
                output.line("  \(Quantity.count(count)) without an answer from \(what): \(reason)")
            }
        }
    }
}

extension ValidationReport.File {
    init(_ path: String, _ result: ImageValidator.Result) {
        let validation = result.validation
        self.path = path
        isFromCache = result.isFromCache
        probes = validation.probes
        agreements = validation.agreements
        knownDifferences = Dictionary(
            uniqueKeysWithValues: validation.known.map { (JSONText.name($0.key.rawValue), $0.value) })
        unsaidByTable = validation.unsaidByTable
        unsaidByReference = validation.unsaidByReference
        disagreements = validation.disagreementCount
        firstDisagreements = zip(validation.disagreements, result.rules).map { difference, rule in
            ValidationReport.Difference(
                address: difference.address, rule: rule, table: "\(difference.table)",
                reference: "\(difference.reference)")
        }
    }

    func write(to output: inout StandardOutput) {
        let verdict = disagreements == 0 ? "agrees" : "\(Quantity.count(disagreements)) disagreements"
        output.line("\(path): \(verdict), \(Quantity.count(probes)) probes\(isFromCache ? " (cached table)" : "")")
        for difference in firstDisagreements.prefix(8) {
            let address = difference.address.hex
            let margin = String(repeating: " ", count: address.count)
            output.line("  \(address)  rule:  \(difference.rule)")
            output.line("  \(margin)  table: \(difference.table)")
            output.line("  \(margin)  libdw: \(difference.reference)")
        }
    }
}
