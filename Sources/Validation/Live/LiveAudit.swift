import ELF
import KernelUnwinder
import Profile
import TableSupply
import UnwindTable

/// Compares sampled stacks, while they are being sampled, with the ones that libdwfl unwinds from the same registers and
/// the same memory: the kernel's frames, and those that were found in user space.
public final class LiveAudit: SampleObserver {
    /// A class of differences.
    public struct Class: Sendable {
        public var difference: LiveDifference
        /// Whether it is where user space had gone on.
        public var isFinished: Bool
        /// The number of stacks.
        public var count: Int
        /// The first one; nil if nothing could be unwound.
        public var example: LiveExample?
    }

    /// Stacks and frames that were compared, stacks in a class of differences included.
    public private(set) var results = RecordingCounters.Audit()
    /// Compared stacks that user space had gone on with.
    public private(set) var finishedStacks = 0
    /// Snapshots whose samples were lost.
    public private(set) var lostSamples = 0
    /// By kind and, for disagreements, by rule; the most frequent first.
    public var classes: [Class] {
        counted.values.sorted { ($0.count, $1.difference.rawValue) > ($1.count, $0.difference.rawValue) }
    }
    /// Why libdwfl can't unwind some processes, in words.
    public private(set) var problems: [String] = []

    /// Stacks that were compared.
    public var stackCount: Int { results.agreeingStacks + results.disagreeingStacks }

    package var audit: RecordingCounters.Audit? { results }

    private let supply: any TableSupply
    private let debugFiles: DebugFileSearch?
    private let machine: TableMachine
    private var images: [ImageKey: LiveImage] = [:]
    private var references = RecentReferences()
    private var counted: [ClassKey: Class] = [:]

    private struct ClassKey: Hashable {
        var difference: LiveDifference
        var isFinished = false
        /// Of a disagreement: file and rules.
        var rules: [String] = []
    }

    /// More classes than anyone reads. Limits what a broken table makes us keep.
    private static let classLimit = 256

    /// - Parameters:
    ///   - supply: the one that the kernel's tables come from.
    ///   - debugFiles: as for the supply.
    /// - Throws: ``KernelError`` on a machine without tables.
    public init(tables supply: any TableSupply, debugFiles: DebugFileSearch?) throws(KernelError) {
        (self.supply, self.debugFiles) = (supply, debugFiles)
        machine = try KernelUnwinder.hostMachine
    }

    // MARK: Stacks

    package func noteLost(_ snapshots: Int) { lostSamples += snapshots }

    package func note(_ stack: ObservedStack) {
        if stack.isFinished { finishedStacks += 1 }
        let isDisagreement = compare(stack)
        results.agreeingStacks += isDisagreement ? 0 : 1
        results.disagreeingStacks += isDisagreement ? 1 : 0
    }

    /// Returns whether there is a disagreement.
    private func compare(_ stack: ObservedStack) -> Bool {
        guard let images = stack.images else { return add(.mappingsUnknown) }
        guard let reference = reference(for: images, of: stack.process) else { return add(.noReference) }
        let result = reference.unwind(stack.snapshot)
        let comparison = StackComparison(stack, result, reference.modules)
        // The index of the frame at which the comparison ended.
        let last = comparison.agreeing + 1
        let kernels = min(comparison.agreeing, max(stack.kernelCount - 1, 0))
        results.frames.agreeing += kernels
        results.finishedFrames.agreeing += comparison.agreeing - kernels
        guard let difference = comparison.difference else { return false }
        let isFinished = stack.isFinished && last >= stack.kernelCount
        if !difference.isKnown {
            if isFinished { results.finishedFrames.disagreeing += 1 } else { results.frames.disagreeing += 1 }
        }
        let key = ClassKey(difference: difference, isFinished: isFinished)
        if difference.isKnown, counted[key] != nil { return add(difference, isFinished: isFinished) }
        return add(
            difference, isFinished: isFinished,
            LiveExample(stack, result, reference.modules, machine, frame: last))
    }

    private func add(_ difference: LiveDifference, isFinished: Bool = false, _ example: LiveExample? = nil) -> Bool {
        var key = ClassKey(difference: difference, isFinished: isFinished)
        if let example, !difference.isKnown, counted.count < Self.classLimit {
            key.rules = [example.path, example.rule, example.referenceRow]
        }
        let new = Class(difference: difference, isFinished: isFinished, count: 0, example: example)
        counted[key, default: new].count += 1
        return !difference.isKnown
    }

    // MARK: Processes

    private func reference(for images: ProcessImages, of process: Int32) -> LiveReference? {
        let placed = images.number == 0 ? places(in: images) : []
        let key = RecentReferences.Key(number: images.number, places: placed.map(\.place))
        if let known = references[key] { return known.reference }
        let places = images.number == 0 ? placed : self.places(in: images)
        var reference: LiveReference?
        do throws(ReferenceSession.Failure) {
            let modules = places.compactMap { LiveModule($0.image, bias: $0.place.bias) }
            reference = try LiveReference(LiveModules(modules), machine, process: process)
        } catch {
            if problems.count < 100 { problems.append("\(error)") }
        }
        references.add(reference, key)
        return reference
    }

    /// The files of mappings, with the places of these.
    private func places(in images: ProcessImages) -> [(image: LiveImage, place: RecentReferences.Place)] {
        images.mappings.compactMap { mapping in
            guard let mapped = mapping.image, let image = image(of: mapped) else { return nil }
            return (image, RecentReferences.Place(image: ObjectIdentifier(image), bias: mapping.bias))
        }
    }

    private func image(of mapped: MappedImage) -> LiveImage? {
        guard let image = mapped.image else { return nil }
        let key = ImageKey(mapped)
        if let known = images[key] { return known }
        // Another thread may be making the table from this image.
        guard let own = try? image.another() else { return nil }
        let live = LiveImage(own, name: mapped.name, supply, debugFiles: debugFiles)
        images[key] = live
        return live
    }
}

/// libdwfl's sessions that were used last. Each has files open.
private struct RecentReferences {
    /// A file at a place.
    struct Place: Hashable {
        var image: ObjectIdentifier
        /// AVMA − SVMA.
        var bias: UInt64
    }

    /// What a process maps.
    struct Key: Hashable {
        /// ``ProcessImages/number``
        var number: UInt32
        /// Empty if there is a number.
        var places: [Place]
    }

    private var known: [Key: LiveReference?] = [:]
    private var order: [Key] = []
    private static let limit = 32

    /// Nil if there is none; with a nil reference if one can't be made.
    subscript(key: Key) -> (reference: LiveReference?, Void)? { known[key].map { ($0, ()) } }

    mutating func add(_ reference: LiveReference?, _ key: Key) {
        known[key] = .some(reference)
        order.append(key)
        if order.count > Self.limit { known[order.removeFirst()] = nil }
    }
}
