import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Runs the FDEs of one CIE.
struct CIEContext<A: Architecture> {
    private var interpreter: Interpreter<TrackedRegisters<A>>
    private let lowering: Lowering<A>
    private let tag: UInt64
    /// The error in the CIE's instructions, if any.
    private let failure: CFIError?
    private var isInterned = false
    /// Whether FDEs have the form that `plainInstructions` reads, and the CIE has no error.
    private let isPlain: Bool
    private let hasAugmentationData: Bool

    init(_ cie: FrameIndex.IndexedCIE, _ section: FrameSection, _ source: RuleSource) {
        lowering = Lowering(
            section: section, isSignalFrame: cie.entry.isSignalFrame, isInferred: source == .inferred)
        // Equal rows lower to equal rules if their section, return address column and signal frame flag are equal.
        // Columns that no rule can name count as one. Not 0, which is the tag of empty slots in the cache.
        let column = Int(min(cie.entry.returnAddressRegister, A.lastRegister + 1))
        tag = UInt64((cie.section << 6 | column) << 1 | (cie.entry.isSignalFrame ? 1 : 0)) + 1
        hasAugmentationData = cie.entry.hasAugmentationData
        let columns = TrackedRegisters<A>(returnAddressColumn: cie.entry.returnAddressRegister)
        (interpreter, failure) = Interpreter.prepared(section, cie: cie.entry, columns: columns)
        isPlain = cie.isPlain && failure == nil
    }

    /// Runs the span's FDE. For a part, the sink gets the rows of the whole FDE.
    @inline(__always)
    mutating func run(
        _ span: FrameSpan, _ index: borrowing FrameIndex, _ sink: inout LoweringSink<A>
    ) throws(CFIError) -> Interpreter<TrackedRegisters<A>>.Outcome {
        if sink.tag != tag || !isInterned { prepare(&sink) }
        if isPlain, !span.isPart,
            let instructions = lowering.section.plainInstructions(
                ofEntryAt: Int(span.offset), hasAugmentationData: hasAugmentationData)
        {
            return interpreter.run(
                instructions: instructions, start: span.start, limit: A.rowLimit(from: span.start, to: span.limit),
                sink: &sink)
        }
        if let failure { return .poisoned(failure, location: span.start, offset: Int(span.offset)) }
        return try runWhole(span, index, &sink)
    }

    @inline(never)
    private mutating func prepare(_ sink: inout LoweringSink<A>) {
        if sink.tag != tag { sink.use(lowering, tag: tag) }
        if !isInterned {
            sink.intern(&interpreter.initial)
            isInterned = true
        }
    }

    @inline(never)
    private mutating func runWhole(
        _ span: FrameSpan, _ index: borrowing FrameIndex, _ sink: inout LoweringSink<A>
    ) throws(CFIError) -> Interpreter<TrackedRegisters<A>>.Outcome {
        let header = try lowering.section.entryHeader(at: Int(span.offset))
        let fde = try lowering.section.frameDescriptionEntry(header, cie: index.cies[span.cie].entry)
        if span.isPart {
            return interpreter.run(
                instructions: fde.instructions, start: fde.start, limit: A.rowLimit(from: fde.start, to: fde.limit),
                sink: &sink)
        }
        // The index's addresses are used, not those just read, so that addresses ascend even if the file was modified.
        return interpreter.run(
            instructions: fde.instructions, start: span.start, limit: A.rowLimit(from: span.start, to: span.limit),
            sink: &sink)
    }
}

/// The contexts of an image's CIEs, each made on first use.
///
/// Manually allocated, so that accessing a context needs no reference counting and no copy.
struct CIEContexts<A: Architecture>: ~Copyable {
    private var places: UnsafeMutablePointer<CIEContext<A>>?
    /// By index: whether the context is initialised.
    private var isMade = GrowableBuffer<Bool>()
    /// What each section is.
    private var sources: [RuleSource] = []

    init() {}

    deinit { free() }

    private func free() {
        for number in isMade.elements.indices where isMade.elements[number] {
            _ = places.map { ($0 + number).deinitialize(count: 1) }
        }
        places?.deallocate()
    }

    /// Removes all contexts and allocates memory for `count`. `FrameIndex` limits the number of CIEs.
    ///
    /// - Parameters:
    ///   - count: the number of CIEs.
    ///   - sources: what each of the sections is that the CIEs are in.
    mutating func reset(count: Int, _ sources: [RuleSource]) {
        free()
        self.sources = sources
        // Memory that isn't touched costs nothing.
        places = count == 0 ? nil : .allocate(capacity: count)
        isMade.reserveCapacity(count)
        isMade.setCount(count)
        isMade.elements.update(repeating: false)
    }

    /// The context of a CIE, valid until `reset`.
    ///
    /// - Precondition: `number` is below the count that `reset` got.
    @inline(__always)
    func context(
        of number: Int, _ index: borrowing FrameIndex, _ sections: [FrameSection]
    ) -> UnsafeMutablePointer<CIEContext<A>> {
        let place = places.unsafelyUnwrapped + number
        if !isMade.elements[number] { make(number, at: place, index, sections) }
        return place
    }

    @inline(never)
    private func make(
        _ number: Int, at place: UnsafeMutablePointer<CIEContext<A>>, _ index: borrowing FrameIndex,
        _ sections: [FrameSection]
    ) {
        let section = index.cies[number].section
        place.initialize(to: CIEContext(index.cies[number], sections[section], sources[section]))
        isMade.elements[number] = true
    }
}
