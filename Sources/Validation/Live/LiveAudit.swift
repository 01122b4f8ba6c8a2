import ELF
import KernelUnwinder
import Profile
import TableSupply
import UnwindTable

/// Compares sampled stacks, while they are being sampled, with the ones that libdwfl unwinds from the same registers and
/// the same memory.
public final class LiveAudit: SampleObserver {
    /// A class of differences.
    public struct Class: Sendable {
        public var difference: LiveDifference
        /// The number of stacks.
        public var count: Int
        /// The first one; nil if nothing could be unwound.
        public var example: LiveExample?
    }

    /// Stacks with a snapshot that were compared, those in a class of differences included.
    public private(set) var stackCount = 0
    /// Stacks with a disagreement.
    public private(set) var disagreeingStacks = 0
    /// Callers that both sides found by call frame information, equal. Innermost frames don't count.
    public private(set) var agreeingFrames = 0
    /// Callers that both sides found by call frame information, different; at most one for each stack.
    public private(set) var disagreeingFrames = 0
    /// Snapshots whose samples were lost.
    public private(set) var lostSamples = 0
    /// By kind and, for disagreements, by rule; the most frequent first.
    public var classes: [Class] {
        counted.values.sorted { ($0.count, $1.difference.rawValue) > ($1.count, $0.difference.rawValue) }
    }
    /// Why libdwfl can't unwind some processes, in words.
    public private(set) var problems: [String] = []

    /// The share of agreeing frames among those that both sides found; nil if there are none.
    public var agreement: Double? {
        let all = agreeingFrames + disagreeingFrames
        return all == 0 ? nil : Double(agreeingFrames) / Double(all)
    }

    package var audit: RecordingCounters.Audit? {
        RecordingCounters.Audit(
            agreeingStacks: stackCount - disagreeingStacks, disagreeingStacks: disagreeingStacks,
            agreeingFrames: agreeingFrames, disagreeingFrames: disagreeingFrames)
    }

    private let unwinder: KernelUnwinder
    private let supply: any TableSupply
    private let debugFiles: DebugFileSearch?
    private let machine: TableMachine
    private var samples: [Key: LiveSample] = [:]
    /// Snapshots whose samples were not among those read with them.
    private var waiting: [StackSnapshot] = []
    private var images: [ObjectIdentifier: (mapped: MappedImage, image: LiveImage)] = [:]
    private var references = RecentReferences()
    private var counted: [ClassKey: Class] = [:]

    private struct Key: Hashable {
        var thread: Int32
        var time: UInt64
    }

    private struct ClassKey: Hashable {
        var difference: LiveDifference
        /// Of a disagreement: file and rules.
        var rules: [String] = []
    }

    /// More classes than anyone reads. Limits what a broken table makes us keep.
    private static let classLimit = 256

    /// - Parameters:
    ///   - unwinder: must give snapshots.
    ///   - supply: the one that the unwinder's tables come from.
    ///   - debugFiles: as for the supply.
    /// - Throws: ``KernelError`` on a machine without tables.
    public init(
        _ unwinder: KernelUnwinder, tables supply: any TableSupply, debugFiles: DebugFileSearch?
    ) throws(KernelError) {
        (self.unwinder, self.supply, self.debugFiles) = (unwinder, supply, debugFiles)
        machine = try KernelUnwinder.hostMachine
    }

    // MARK: Samples

    package func note(_ sample: Sample, _ images: ProcessImages?) {
        samples[Key(thread: sample.thread, time: sample.time)] = LiveSample(sample, images)
    }

    /// Snapshots are in their ring buffer before their samples are, so a sample's snapshot is there now; a snapshot's
    /// sample may come with the next round.
    package func endRound() throws(KernelError) {
        var snapshots = waiting
        let waited = waiting.count
        waiting = []
        try unwinder.readSnapshots { snapshots.append($0) }
        for (index, snapshot) in snapshots.enumerated() {
            if let sample = samples.removeValue(forKey: Key(thread: snapshot.thread, time: snapshot.time)) {
                compare(sample, snapshot)
            } else if index < waited {
                lostSamples += 1
            } else {
                // If it doesn't come with the next round either, it was lost.
                waiting.append(snapshot)
            }
        }
        samples = [:]
    }

    private func compare(_ sample: LiveSample, _ snapshot: StackSnapshot) {
        stackCount += 1
        guard let images = sample.images else { return add(.mappingsUnknown) }
        // Another thread is reading the image.
        guard !images.images.contains(where: \.isPending) else { return add(.noTable) }
        guard let reference = reference(for: images, of: sample.process) else { return add(.noReference) }
        let result = reference.unwind(snapshot)
        let comparison = StackComparison(sample, result, reference.modules)
        agreeingFrames += comparison.agreeing
        guard let difference = comparison.difference else { return }
        let isDisagreement = !difference.isKnown
        disagreeingFrames += isDisagreement ? 1 : 0
        disagreeingStacks += isDisagreement ? 1 : 0
        let key = ClassKey(difference: difference)
        if !isDisagreement, counted[key] != nil { return add(difference) }
        add(
            difference,
            LiveExample(sample, result, reference.modules, machine, frame: comparison.agreeing + 1))
    }

    private func add(_ difference: LiveDifference, _ example: LiveExample? = nil) {
        var key = ClassKey(difference: difference)
        if let example, !difference.isKnown, counted.count < Self.classLimit {
            key.rules = [example.path, example.rule, example.referenceRow]
        }
        counted[key, default: Class(difference: difference, count: 0, example: example)].count += 1
    }

    // MARK: Processes

    private func reference(for images: ProcessImages, of process: Int32) -> LiveReference? {
        if let known = references[images.number] { return known.reference }
        let modules = images.mappings.compactMap { mapping -> LiveModule? in
            guard let mapped = mapping.image, let image = image(of: mapped) else { return nil }
            return LiveModule(image, bias: mapping.bias)
        }
        var reference: LiveReference?
        do throws(ReferenceSession.Failure) {
            reference = try LiveReference(LiveModules(modules), machine, process: process)
        } catch {
            if problems.count < 100 { problems.append("\(error)") }
        }
        references.add(reference, images.number)
        return reference
    }

    private func image(of mapped: MappedImage) -> LiveImage? {
        if let known = images[ObjectIdentifier(mapped)] { return known.image }
        guard let image = mapped.image else { return nil }
        let live = LiveImage(image, name: mapped.name, supply, debugFiles: debugFiles)
        images[ObjectIdentifier(mapped)] = (mapped, live)
        return live
    }
}

/// libdwfl's sessions that were used last. Each has files open.
private struct RecentReferences {
    private var known: [UInt32: LiveReference?] = [:]
    private var order: [UInt32] = []
    private static let limit = 32

    /// Nil if there is none; with a nil reference if one can't be made.
    subscript(number: UInt32) -> (reference: LiveReference?, Void)? { known[number].map { ($0, ()) } }

    mutating func add(_ reference: LiveReference?, _ number: UInt32) {
        known[number] = .some(reference)
        order.append(number)
        if order.count > Self.limit { known[order.removeFirst()] = nil }
    }
}
