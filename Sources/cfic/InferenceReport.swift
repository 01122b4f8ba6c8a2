import CallFrameInfo
import Files
import JSONDocuments
import TableCompiler
import Validation

/// The results of `cfic validate --inference PATH…`.
struct InferenceReport: ValidationOutput {
    static let schema = "validate --inference"

    struct Disagreement: Encodable {
        /// An `InferenceComparison.Difference`.
        var difference: String
        /// Bytes, by where the disagreement begins.
        var straightLine: Int
        var blockStart: Int
    }

    struct Instruction: Encodable {
        /// SVMA.
        @HexAddress var address: UInt64
        var text: String
    }

    struct Example: Encodable {
        /// SVMA.
        @HexAddress var address: UInt64
        var difference: String
        var isBlockStart: Bool
        /// The rule that instructions show, and the row of the call frame information, as text.
        var inferred: String
        var stated: String
        /// The last instructions before it in memory that are reached, and itself.
        var instructions: [Instruction]
    }

    struct Failure: Encodable {
        /// SVMA of the function.
        @HexAddress var function: UInt64
        /// SVMA of the instruction that is the cause.
        @HexAddress var address: UInt64
        var reason: String
    }

    /// What was counted, in bytes of code.
    struct Counts: Encodable {
        var functions: Int
        var code: Int
        var padding: Int
        var rules: Int
        var agree: Int
        var uncompared: Int
        var disagreements: [Disagreement]
        /// By reason.
        var givenUp: [String: Int]
        /// Percent of the code without padding.
        var yield: Double
        /// Percent of the bytes with a rule that are compared.
        var agreement: Double
    }

    struct File: Encodable {
        var path: String
        var counts: Counts
        var examples: [Example]
        var failures: [Failure]
    }

    var files: [File] = []
    var sum: Counts
    var skipped: [String] = []
    var failures: [String] = []
    /// Percent.
    var minimumAgreement: Double

    var isEmpty: Bool { files.isEmpty && skipped.isEmpty && failures.isEmpty }
    var isGood: Bool {
        failures.isEmpty && files.allSatisfy { $0.counts.agreement >= minimumAgreement || $0.counts.rules == 0 }
    }

    init(_ walk: FileWalk, _ outcomes: [InferenceTree.Outcome], minimumAgreement: Double) {
        self.minimumAgreement = minimumAgreement
        failures = walk.problems.map { "\($0.path): \($0.problem)" }
        var total = InferenceComparison()
        for (file, outcome) in zip(walk.files, outcomes) {
            switch outcome {
            case .compared(let comparison):
                total.add(comparison)
                files.append(File(file.path, comparison))
            case .notApplicable(let why) where file.isNamed: failures.append("\(file.path): \(why)")
            case .notApplicable(let why): skipped.append("\(file.path): \(why)")
            case .failed(let problem): failures.append(problem)
            case .notELF: break
            }
        }
        sum = Counts(total)
    }

    func write() {
        var output = StandardOutput()
        for file in files { file.write(to: &output) }
        if files.count > 1 {
            output.line("\(Quantity.count(files.count, "file")):")
            sum.write(to: &output)
        }
        if !skipped.isEmpty { output.line("  \(Quantity.count(skipped.count)) files aren't analysed") }
        output.flush()
        for failure in failures { Diagnostics.error(failure) }
    }
}

extension InferenceReport.Counts {
    init(_ comparison: InferenceComparison) {
        functions = comparison.functions
        code = comparison.codeBytes
        padding = comparison.paddingBytes
        rules = comparison.ruleBytes
        agree = comparison.agreeingBytes
        uncompared = comparison.uncomparedBytes
        disagreements = InferenceComparison.Difference.allCases.compactMap { difference in
            comparison.disagreements[difference].map {
                InferenceReport.Disagreement(
                    difference: JSONText.name(difference.rawValue), straightLine: $0.straightLine,
                    blockStart: $0.blockStart)
            }
        }
        givenUp = Dictionary(uniqueKeysWithValues: comparison.givenUp.map { (JSONText.name($0.key), $0.value) })
        yield = comparison.yield * 100
        agreement = comparison.agreement * 100
    }

    func write(to output: inout StandardOutput) {
        output.line(
            "  \(Quantity.count(functions, "function")), \(Quantity.count(code)) bytes of code, "
                + "\(Quantity.count(padding)) of padding")
        output.line("  \(Quantity.count(rules)) with a rule: \(Self.percent(yield)) of the code without padding")
        output.line("  \(Quantity.count(agree)) agree: \(Self.percent(agreement)) of those compared")
        if uncompared > 0 {
            output.line("  \(Quantity.count(uncompared)) where the call frame information has no caller")
        }
        for disagreement in disagreements {
            output.line(
                "  \(Quantity.count(disagreement.straightLine + disagreement.blockStart)) disagree, "
                    + "\(disagreement.difference): \(Quantity.count(disagreement.straightLine)) in straight lines, "
                    + "\(Quantity.count(disagreement.blockStart)) from blocks' starts")
        }
        for (reason, bytes) in givenUp.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            output.line("  \(Quantity.count(bytes)) without a rule: \(reason)")
        }
    }

    /// Never rounded up to 100 %.
    private static func percent(_ value: Double) -> String {
        let parts = Int(value * 10_000)
        let fraction = String(parts % 10_000)
        return "\(parts / 10_000).\(String(repeating: "0", count: 4 - fraction.count))\(fraction) %"
    }
}

extension InferenceReport.File {
    init(_ path: String, _ comparison: InferenceComparison) {
        self.path = path
        counts = InferenceReport.Counts(comparison)
        examples = comparison.examples.map { example in
            InferenceReport.Example(
                address: example.address, difference: JSONText.name(example.difference.rawValue),
                isBlockStart: example.isBlockStart, inferred: example.inferred, stated: example.stated,
                instructions: example.instructions.map { .init(address: $0.address, text: $0.text) })
        }
        failures = comparison.failures.map { .init(function: $0.function, address: $0.address, reason: $0.reason) }
    }

    func write(to output: inout StandardOutput) {
        output.line("\(path):")
        counts.write(to: &output)
        for example in examples {
            let place = example.isBlockStart ? "from a block's start" : "in a straight line"
            output.line("  \(example.address.hex) disagrees, \(example.difference), \(place)")
            output.line("    inferred: \(example.inferred)")
            output.line("    stated:   \(example.stated)")
            for instruction in example.instructions {
                output.line("    \(instruction.address.hex)  \(instruction.text)")
            }
        }
        for failure in failures {
            output.line("  \(failure.function.hex) has no rules: \(failure.reason), at \(failure.address.hex)")
        }
    }
}
