import CallFrameInfo
import Files
import JSONDocuments
import KernelUnwinder
import Profile
import Validation

/// The results of `cfic validate --live`.
struct LiveReport: ValidationOutput {
    static let schema = "validate --live"

    struct Word: Encodable {
        @HexAddress var address: UInt64
        @HexAddress var value: UInt64
    }

    struct Register: Encodable {
        var name: String
        @HexAddress var value: UInt64
    }

    struct Example: Encodable {
        var process: Int32
        var thread: Int32
        var command: String
        /// Index of the first frame that differs, or that one side lacks; 0 is the innermost.
        var frame: Int
        var kernel: String
        var reference: String
        /// The previous frame, its file, and both sides' rules for it.
        var callee: String
        var path: String
        @HexAddress var address: UInt64
        var rule: String
        var ruleMeaning: String
        var referenceRow: String
        var referenceMeaning: String
        var registers: [Register]
        var memory: [Word]
    }

    struct Class: Encodable {
        var name: String
        var isDisagreement: Bool
        var isFinished: Bool
        var stacks: Int
        var example: Example?
    }

    var seconds: Double
    var samples: UInt64
    /// Samples whose snapshot could not be given out or joined.
    var lostSnapshots: UInt64
    var stacks: Int
    var disagreeingStacks: Int
    var agreeingFrames: Int
    var disagreeingFrames: Int
    /// Percent; null if no frame was compared.
    var agreement: Double?
    /// The same of stacks that were finished in user space, and of the frames found there.
    var finishedStacks: Int
    var agreeingFinishedFrames: Int
    var disagreeingFinishedFrames: Int
    var finishedAgreement: Double?
    var minAgreement: Double
    var classes: [Class]
    var failures: [String]

    private var agreements: [Double] { [agreement, finishedAgreement].compactMap { $0 } }

    var isGood: Bool { !agreements.isEmpty && agreements.allSatisfy { $0 >= minAgreement } }

    private let audit: [LiveAudit.Class]

    private enum CodingKeys: CodingKey {
        case seconds, samples, lostSnapshots, stacks, disagreeingStacks, agreeingFrames, disagreeingFrames, agreement
        case finishedStacks, agreeingFinishedFrames, disagreeingFinishedFrames, finishedAgreement, minAgreement
        case classes, failures
    }

    init(_ audit: LiveAudit, _ recording: Recording, minAgreement: Double) {
        seconds = recording.seconds
        let counters: Counters?
        var problems = recording.problems + audit.problems
        do throws(KernelError) { counters = try recording.counters.get() } catch {
            counters = nil
            problems.append("\(error)")
        }
        samples = counters?.samples ?? 0
        lostSnapshots = (counters?.lostSnapshots ?? 0) + UInt64(audit.lostSamples)
        let results = audit.results
        (stacks, disagreeingStacks) = (audit.stackCount, results.disagreeingStacks)
        (agreeingFrames, disagreeingFrames) = (results.frames.agreeing, results.frames.disagreeing)
        agreement = results.frames.agreement.map { 100 * $0 }
        finishedStacks = audit.finishedStacks
        agreeingFinishedFrames = results.finishedFrames.agreeing
        disagreeingFinishedFrames = results.finishedFrames.disagreeing
        finishedAgreement = results.finishedFrames.agreement.map { 100 * $0 }
        self.minAgreement = minAgreement
        self.audit = audit.classes
        classes = self.audit.map(Class.init)
        failures = problems
    }

    func write() {
        var output = StandardOutput()
        for difference in audit where !difference.difference.isKnown { Self.write(difference, to: &output) }
        for difference in audit where difference.difference.isKnown { Self.write(difference, to: &output) }
        output.line(
            "\(Quantity.count(stacks, "stack")) of \(Quantity.count(Int(samples), "sample")) in "
                + "\(Quantity.fixed(seconds, 1)) s: "
                + Self.text(agreeingFrames, disagreeingFrames, agreement)
                + "; \(Quantity.count(disagreeingStacks, "stack")) with a disagreement")
        if finishedStacks > 0 {
            output.line(
                "  \(Quantity.count(finishedStacks, "stack")) finished in user space: "
                    + Self.text(agreeingFinishedFrames, disagreeingFinishedFrames, finishedAgreement) + " there")
        }
        if lostSnapshots > 0 {
            output.line("  \(Quantity.count(Int(lostSnapshots), "sample")) not compared: no room for their snapshots")
        }
        output.flush()
        for failure in failures { Diagnostics.error(failure) }
        if agreements.isEmpty { Diagnostics.error("no frame was compared: sample for longer (-d), or more often (-F)") }
        for agreement in agreements where agreement < minAgreement {
            Diagnostics.error("agreement \(Quantity.percent(agreement / 100)) is below \(minAgreement) %")
        }
    }

    private static func text(_ agreeing: Int, _ disagreeing: Int, _ agreement: Double?) -> String {
        "\(Quantity.count(agreeing, "frame")) agree, \(disagreeing) disagree "
            + "(\(agreement.map { Quantity.percent($0 / 100) } ?? "none"))"
    }

    private static func write(_ difference: LiveAudit.Class, to output: inout StandardOutput) {
        let stacks = Quantity.count(difference.count, difference.isFinished ? "finished stack" : "stack")
        output.line("\(stacks): \(difference.difference.text)")
        guard let example = difference.example else { return }
        output.line("  such as thread \(example.thread) (\(example.command)), frame \(example.frame)")
        output.line("    \(difference.isFinished ? "cfic:  " : "kernel:") \(example.kernel)")
        output.line("    libdw:  \(example.reference)")
        output.line("  its callee: \(example.callee), \(example.address.hex) in \(example.path)")
        output.line("    rule:   \(example.rule)")
        output.line("      gives \(example.ruleMeaning)")
        output.line("    libdw:  \(example.referenceRow)")
        output.line("      gives \(example.referenceMeaning)")
        guard !difference.difference.isKnown else { return }
        output.line("    " + example.registers.map { "\($0.name) \($0.value.hex)" }.joined(separator: ", "))
        for word in example.memory { output.line("    \(word.address.hex): \(word.value.hex)") }
    }
}

extension LiveReport.Class {
    init(_ audited: LiveAudit.Class) {
        name = JSONText.name(audited.difference.rawValue)
        isDisagreement = !audited.difference.isKnown
        isFinished = audited.isFinished
        stacks = audited.count
        example = audited.example.map(LiveReport.Example.init)
    }
}

extension LiveReport.Example {
    init(_ example: LiveExample) {
        (process, thread, command) = (example.process, example.thread, example.command)
        (frame, kernel, reference) = (example.frame, example.kernel, example.reference)
        (callee, path, address) = (example.callee, example.path, example.address)
        (rule, ruleMeaning) = (example.rule, example.ruleMeaning)
        (referenceRow, referenceMeaning) = (example.referenceRow, example.referenceMeaning)
        registers = example.registers.map { .init(name: $0.name, value: $0.value) }
        memory = example.memory.map { .init(address: $0.address, value: $0.value) }
    }
}
