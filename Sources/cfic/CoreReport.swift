import JSONDocuments
import CallFrameInfo
import UnwindTable
import Validation

/// The results of `cfic validate --core`.
struct CoreReport: ValidationOutput {
    static let schema = "validate --core"

    struct Frame: Encodable {
        @HexAddress var address: UInt64
        @HexAddress var stackPointer: UInt64
        @HexAddress var framePointer: UInt64?
        var isExact: Bool
    }

    struct Difference: Encodable {
        /// Index of the first frame that differs; 0 is the innermost.
        var frame: Int
        var table: String
        var reference: String
        /// The previous frame, its file, and both sides' rules for it.
        var callee: String
        var path: String
        var rule: String
        var referenceRow: String
        /// The caller that libdw's row gives for the previous frame.
        var meaning: String
    }

    struct Thread: Encodable {
        var id: Int32
        var frames: [Frame]
        var agreeing: Int
        var end: String
        var isComplete: Bool
        /// Why libdw found more frames, and how many more.
        var knownDifference: String?
        var further: Int
        var difference: Difference?
    }

    var core: String
    var threads: [Thread]
    var failures: [String]

    var isGood: Bool { !threads.isEmpty && failures.isEmpty && threads.allSatisfy { $0.difference == nil } }

    private let validation: CoreValidation

    private enum CodingKeys: CodingKey {
        case core, threads, failures
    }

    init(_ validation: CoreValidation, core: String) {
        self.core = core
        self.validation = validation
        failures = validation.problems
        threads = validation.threads.map(Thread.init)
    }

    func write() {
        var output = StandardOutput()
        for thread in validation.threads {
            output.line("thread \(thread.id): \(Self.text(thread))")
            if let difference = thread.difference { Self.write(difference, to: &output) }
        }
        let frames = validation.threads.reduce(0) { $0 + $1.agreeing }
        output.line(
            "\(core): \(Quantity.count(threads.count, "thread")), \(Quantity.count(validation.moduleCount, "file")), "
                + "\(Quantity.count(frames, "frame")) agree; "
                + "\(Quantity.count(validation.disagreementCount, "thread")) with a difference")
        output.flush()
        for failure in failures { Diagnostics.error(failure) }
        if threads.isEmpty { Diagnostics.error("\(core): no thread could be read") }
    }

    private static func text(_ thread: ThreadValidation) -> String {
        let frames = "\(Quantity.count(thread.agreeing, "frame")) agree"
        if thread.difference != nil { return frames + ", then a difference" }
        if let known = thread.known {
            return "\(frames); \(known.text) (\(Quantity.count(thread.further, "more frame")))"
        }
        return "\(frames); \(thread.endText)"
    }

    private static func write(_ difference: ThreadValidation.Difference, to output: inout StandardOutput) {
        output.line("  frame \(difference.index)")
        output.line("    table: \(difference.table)")
        output.line("    libdw: \(difference.reference)")
        output.line("  its callee: \(difference.callee), in \(difference.file)")
        output.line("    rule:  \(difference.rule)")
        output.line("    libdw: \(difference.referenceRow)")
        output.line("    which gives: \(difference.meaning)")
    }
}

extension CoreReport.Thread {
    init(_ thread: ThreadValidation) {
        id = thread.id
        frames = thread.frames.map {
            .init(address: $0.pc, stackPointer: $0.stackPointer, framePointer: $0.framePointer, isExact: $0.isExact)
        }
        (agreeing, end, isComplete) = (thread.agreeing, thread.end, thread.isComplete)
        (knownDifference, further) = (thread.known.map { JSONText.name($0.rawValue) }, thread.further)
        difference = thread.difference.map {
            .init(
                frame: $0.index, table: $0.table, reference: $0.reference, callee: $0.callee, path: $0.file,
                rule: $0.rule, referenceRow: $0.referenceRow, meaning: $0.meaning)
        }
    }
}
