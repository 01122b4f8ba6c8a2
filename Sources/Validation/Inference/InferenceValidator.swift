import CallFrameInfo
import ELF
import Inference
import Search
import TableCompiler

/// Analyses an image's functions as if they had no call frame information, their extents aside, and compares the rules.
public struct InferenceValidator {
    private var frames: StatedFrames
    private let code: ProgramCode
    private let analysis: FunctionAnalysis
    private let exampleLimit: Int
    /// By extent: whether its bytes were counted, as a function or as a part of one.
    private var isDone: [Bool]
    /// Extents to which functions that were analysed jump as a tail call.
    private var tailCalled: [Int] = []
    /// By extent, of the function that is being compared.
    private var rows: [Int: [StatedRow]] = [:]
    private var comparison = InferenceComparison()

    /// Compares an image of x86-64. Nil if it is another machine's, or has no call frame information.
    ///
    /// - Parameter exampleLimit: how many examples, and functions without rules, the result may hold.
    /// - Throws: `ELFError` for a file that can't be read, `DecoderProblem`, `CFIError`.
    public static func compare(_ image: ELFImage, exampleLimit: Int) throws -> InferenceComparison? {
        guard image.machine == .x86_64, image.is64Bit, image.fileType != .relocatable else { return nil }
        try openDecoder()
        let sources = try FrameSources(of: image, search: nil)
        guard !sources.sections.isEmpty else { return nil }
        return try withExtendedLifetime(sources) {
            var validator = try InferenceValidator(image, sources, exampleLimit: exampleLimit)
            validator.compareAll()
            try sources.checkAreWhole()
            return validator.comparison
        }
    }

    private init(_ image: ELFImage, _ sources: FrameSources, exampleLimit: Int) throws {
        let sections = try image.sections().filter { $0.isAllocated && !$0.hasNoBits }
        // Stubs of the procedure linkage table are no functions.
        let stubs = sections.filter { $0.isExecutable && $0.name.hasPrefix(".plt") }
        frames = try StatedFrames(sources.sections, executable: try image.executableRanges()) { start in
            stubs.contains { start >= $0.address && start - $0.address < $0.size }
        }
        var program = ProgramCode(
            pieces: try sections.map { .init(address: $0.address, bytes: try image.bytes(of: $0)) },
            extents: frames.frames.map(\.range),
            nonReturning: try image.nonReturning(
                frames.frames.lazy.map(\.range.lowerBound), try image.functionSymbols()),
            callSites: try Self.callSites(image, frames))
        program.findEntries(data: try sections.filter { !$0.isExecutable }.map { try image.bytes(of: $0) })
        code = program
        analysis = FunctionAnalysis(code)
        self.exampleLimit = exampleLimit
        isDone = [Bool](repeating: false, count: code.extents.count)
    }

    private static func callSites(_ image: ELFImage, _ frames: StatedFrames) throws -> [Int: [CallSite]] {
        guard let section = try image.sections().first(where: { $0.name == ".gcc_except_table" }) else { return [:] }
        let tables = FrameSection(
            kind: .ehFrame, bytes: try image.bytes(of: section), address: section.address,
            machine: image.machine.rawValue)
        var sites: [Int: [CallSite]] = [:]
        for (number, frame) in frames.frames.enumerated() {
            let found = try? frame.section.callSites(of: frame.fde, cie: frames.cie(of: frame), in: tables)
            if let found, !found.isEmpty { sites[number] = found }
        }
        return sites
    }

    // MARK: Functions

    private mutating func compareAll() {
        comparison.functions = code.extents.count
        comparison.codeBytes = code.extents.reduce(0) { $0 + $1.count }
        for extent in code.extents.indices where code.isEntry[extent] { compare(extent) }
        // Functions that are only jumped to, as the last thing that others do; they may jump to more of them.
        var next = 0
        while next < tailCalled.count {
            compare(tailCalled[next])
            next += 1
        }
        for extent in code.extents.indices where !isDone[extent] {
            giveUp(code.extents[extent], InferenceComparison.noEntry)
        }
    }

    private struct Verdict {
        var address: UInt64
        var length: Int
        var isBlockStart: Bool
        var isCompared: Bool
        var difference: InferenceComparison.Difference?
        /// With a difference: whether it, or the one that led to it, begins at a block's start; and whether it begins here.
        var beginsAtBlock = false
        var begins = false
        var texts: (inferred: String, stated: String)?
    }

    private mutating func compare(_ function: Int) {
        guard !isDone[function] else { return }
        var verdicts: [Verdict] = []
        // Where rules differ: whether that began at a block's start.
        var differing: [UInt64: Bool] = [:]
        rows.removeAll(keepingCapacity: true)
        let hasRoom = comparison.examples.count < exampleLimit
        let result = analysis.run(function) { visit in
            // The middle of another function: that one's rows count.
            if visit.extent != function, code.isEntry[visit.extent] { return }
            var verdict = verdict(visit, withTexts: hasRoom)
            if verdict.difference != nil {
                let earlier = visit.origin.flatMap { differing[$0] }
                verdict.begins = earlier == nil
                verdict.beginsAtBlock = earlier ?? visit.isBlockStart
                differing[visit.address] = verdict.beginsAtBlock
            }
            verdicts.append(verdict)
        }
        let extents = result.extents.filter { !isDone[$0] }
        for extent in extents { isDone[extent] = true }
        if let failure = result.failure {
            for extent in extents { giveUp(code.extents[extent], failure.rawValue) }
            if comparison.failures.count < exampleLimit {
                let start = code.extents[function].lowerBound
                comparison.failures.append((start, result.failureAddress, failure.description))
            }
            return
        }
        tailCalled += result.tailCalls.filter { !isDone[$0] }
        verdicts.sort { $0.address < $1.address }
        count(verdicts)
        for extent in extents { countUnreached(code.extents[extent], verdicts) }
    }

    private mutating func giveUp(_ extent: Range<UInt64>, _ reason: String) {
        comparison.givenUp[reason, default: 0] += extent.count
    }
}

// MARK: One instruction

extension InferenceValidator {
    private mutating func verdict(_ visit: borrowing FunctionAnalysis.Visit, withTexts: Bool) -> Verdict {
        var verdict = Verdict(
            address: visit.address, length: visit.length, isBlockStart: visit.isBlockStart, isCompared: false)
        let frame = frames.frames[visit.extent]
        if rows[visit.extent] == nil { rows[visit.extent] = frames.rows(of: frame) ?? [] }
        guard let rows = rows[visit.extent],
            let index = rows.lastIndex(atMost: visit.address, by: \.address), !rows[index].isOutermost
        else { return verdict }
        verdict.isCompared = true
        verdict.difference = Self.difference(visit, rows[index], frame.section)
        if verdict.difference != nil, withTexts {
            verdict.texts = ("\(visit.rule)", "\(rows[index])")
        }
        return verdict
    }

    private static func difference(
        _ visit: borrowing FunctionAnalysis.Visit, _ row: StatedRow, _ section: FrameSection
    ) -> InferenceComparison.Difference? {
        let (state, pc) = (visit.state, visit.address)
        let cfa = row.cfa(in: section, state, pc: pc)
        guard cfa.isStack else { return .unconfirmedFrame }
        guard cfa == .cfa(0) else { return .cfa }
        guard StatedRow.value(row.returnAddress, of: 16, in: section, state, pc: pc) == .initial(16) else {
            return .returnAddress
        }
        if row.framePointer.kind == .undefined { return nil }
        if visit.rule.framePointer == .unknown { return .unknownFramePointer }
        let framePointer = StatedRow.value(row.framePointer, of: 6, in: section, state, pc: pc)
        return framePointer == .initial(6) ? nil : .framePointer
    }
}

// MARK: Counting

extension InferenceValidator {
    /// - Parameter verdicts: of one function, in ascending address order.
    private mutating func count(_ verdicts: [Verdict]) {
        for (index, verdict) in verdicts.enumerated() {
            // Instructions may overlap: a prefix that a jump skips.
            let next = index + 1 < verdicts.count ? verdicts[index + 1].address : .max
            let length = Int(min(UInt64(verdict.length), next - verdict.address))
            comparison.ruleBytes += length
            guard let difference = verdict.difference else {
                if verdict.isCompared {
                    comparison.agreeingBytes += length
                } else {
                    comparison.uncomparedBytes += length
                }
                continue
            }
            if verdict.begins { addExample(verdicts, index, difference) }
            var bytes = comparison.disagreements[difference] ?? .init()
            if verdict.beginsAtBlock { bytes.blockStart += length } else { bytes.straightLine += length }
            comparison.disagreements[difference] = bytes
        }
    }

    private mutating func addExample(
        _ verdicts: [Verdict], _ index: Int, _ difference: InferenceComparison.Difference
    ) {
        guard comparison.examples.count < exampleLimit, let texts = verdicts[index].texts else { return }
        let first = max(0, index - 6)
        let instructions = verdicts[first...index].map { verdict in
            (verdict.address, code.instructionText(at: verdict.address) ?? "")
        }
        comparison.examples.append(
            .init(
                address: verdicts[index].address, difference: difference, isBlockStart: verdicts[index].isBlockStart,
                inferred: texts.inferred, stated: texts.stated, instructions: instructions))
    }

    /// Counts the bytes of an extent that no path reaches.
    private mutating func countUnreached(_ extent: Range<UInt64>, _ verdicts: [Verdict]) {
        var address = extent.lowerBound
        for verdict in verdicts where extent.contains(verdict.address) {
            if address < verdict.address { countUnreached(address..<verdict.address) }
            address = max(address, verdict.address + UInt64(verdict.length))
        }
        if address < extent.upperBound { countUnreached(address..<extent.upperBound) }
    }

    private mutating func countUnreached(_ gap: Range<UInt64>) {
        let padding = code.paddingBytes(in: gap)
        comparison.paddingBytes += padding
        if padding < gap.count {
            comparison.givenUp[InferenceComparison.unreached, default: 0] += gap.count - padding
        }
    }
}
