import CUnwindTable
import CallFrameInfo
import UnwindTable

/// The lowered rows of each FDE on its own, in file order: not sorted, merged, clipped or cut into pages.
///
/// For relocatable files, whose FDEs overlap at address 0 and therefore make no table. Tests also compare tables with
/// it, because it shares only the interpreter and the lowering with the table builder.
public struct LoweredFrames {
    public struct Row: Sendable {
        /// SVMA from which the rule holds, until the next row or the frame's limit.
        public var address: UInt64
        /// Index into `rules`.
        public var rule: Int
    }

    public struct Frame: Sendable {
        /// Index of the section, and offset in it.
        public var section: Int
        public var offset: Int
        /// SVMAs of the first byte and of the end (exclusive).
        public var start: UInt64
        public var limit: UInt64
        /// In ascending address order, all below `limit`.
        public var rows: [Row] = []
        /// The first error in the FDE or its CIE, if any.
        public var error: CFIError?
    }

    public private(set) var frames: [Frame] = []
    public private(set) var rules: [Rule] = []
    /// The programs that the rules refer to.
    public private(set) var operations: [Operation] = []
    /// Entries whose range couldn't be read.
    public private(set) var malformed: [FrameIndex.MalformedEntry] = []

    /// - Parameters:
    ///   - sections: in order of precedence.
    ///   - sources: what the sections are, with as many elements; empty if none is inferred.
    ///   - machine: the machine whose registers the rows name.
    public init(_ sections: [FrameSection], sources: [RuleSource] = [], machine: TableMachine) {
        switch machine {
        case .x86_64: read(sections, sources, as: X86_64.self)
        case .aarch64: read(sections, sources, as: AArch64.self)
        }
    }

    private mutating func read<A: Architecture>(
        _ sections: [FrameSection], _ sources: [RuleSource], as architecture: A.Type
    ) {
        var sink = LoweredRowSink<A>()
        for (number, section) in sections.enumerated() {
            var cies = PreparedCIEs<A>(section, isInferred: !sources.isEmpty && sources[number] == .inferred)
            var position = 0
            while position < section.bytes.count {
                do throws(CFIError) {
                    let header = try section.entryHeader(at: position)
                    position = header.end
                    if header.isTerminator, section.endsAtTerminator { break }
                    guard let cieOffset = header.cieOffset else { continue }
                    if let frame = frame(header, cieOffset, section, number, &cies, &sink) { frames.append(frame) }
                } catch {
                    malformed.append(.init(section: number, offset: position, error: error))
                    break
                }
            }
        }
        rules = sink.ruleSet.rules
        operations = sink.ruleSet.programs.operations
    }

    private mutating func frame<A: Architecture>(
        _ header: EntryHeader, _ cieOffset: Int, _ section: FrameSection, _ number: Int, _ cies: inout PreparedCIEs<A>,
        _ sink: inout LoweredRowSink<A>
    ) -> Frame? {
        let prepared: PreparedCIEs<A>.Element
        let fde: FrameDescriptionEntry
        do throws(CFIError) {
            prepared = try cies.element(at: cieOffset)
            fde = try section.frameDescriptionEntry(header, cie: prepared.cie)
        } catch {
            malformed.append(.init(section: number, offset: header.offset, error: error))
            return nil
        }
        guard fde.length != 0 else { return nil }
        var frame = Frame(section: number, offset: fde.offset, start: fde.start, limit: fde.limit)
        sink.begin(
            Lowering(section: section, isSignalFrame: prepared.cie.isSignalFrame, isInferred: cies.isInferred))
        if let failure = prepared.failure {
            sink.poison(fde.start, failure)
            frame.error = failure
        } else {
            var interpreter = prepared.interpreter
            let outcome = interpreter.run(
                instructions: fde.instructions, start: fde.start, limit: A.rowLimit(from: fde.start, to: fde.limit),
                sink: &sink)
            if case .poisoned(let error, let location, _) = outcome {
                sink.poison(location, error)
                frame.error = error
            }
        }
        if sink.isMisaligned { frame.error = frame.error ?? .misalignedAddress }
        frame.rows = sink.rows
        return frame
    }
}

/// A section's CIEs, each read and run once, on first use.
private struct PreparedCIEs<A: Architecture> {
    struct Element {
        var cie: CommonInformationEntry
        var interpreter: Interpreter<TrackedRegisters<A>>
        /// The error in the CIE's instructions, if any.
        var failure: CFIError?
    }

    private let section: FrameSection
    /// Whether the section was made from instructions.
    let isInferred: Bool
    private var elements: [Int: Result<Element, CFIError>] = [:]
    /// Size of the CIEs read so far. CIEs of a hostile file may overlap; limiting this keeps the time linear.
    private var byteCount = 0

    init(_ section: FrameSection, isInferred: Bool) { (self.section, self.isInferred) = (section, isInferred) }

    mutating func element(at offset: Int) throws(CFIError) -> Element {
        if let known = elements[offset] { return try known.get() }
        do throws(CFIError) {
            let element = try read(at: offset)
            elements[offset] = .success(element)
            return element
        } catch {
            elements[offset] = .failure(error)
            throw error
        }
    }

    /// Has the same limits as `FrameIndex`.
    private mutating func read(at offset: Int) throws(CFIError) -> Element {
        guard offset >= 0, offset < section.bytes.count else { throw .ciePointerOutOfBounds }
        byteCount += try section.entryHeader(at: offset).end - offset
        guard byteCount <= 16 * section.bytes.count, elements.count < 65_536 else { throw .tooManyCIEs }
        let cie = try section.commonInformationEntry(at: offset)
        let columns = TrackedRegisters<A>(returnAddressColumn: cie.returnAddressRegister)
        let (interpreter, failure) = Interpreter.prepared(section, cie: cie, columns: columns)
        return Element(cie: cie, interpreter: interpreter, failure: failure)
    }
}

/// Lowers each row at once, without a cache.
private struct LoweredRowSink<A: Architecture>: RowSink {
    private var lowering: Lowering<A>?
    var ruleSet = RuleSet()
    private(set) var rows: [LoweredFrames.Row] = []
    private(set) var isMisaligned = false

    /// Starts an FDE.
    mutating func begin(_ lowering: Lowering<A>) {
        self.lowering = lowering
        rows = []
        isMisaligned = false
    }

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>) {
        if location % (1 << UInt64(A.pcShift)) != 0 { isMisaligned = true }
        guard let lowering else { return }
        append(
            location,
            isMisaligned
                ? .unknown(Reason(CFIC_REASON_MISALIGNED_ADDRESS))
                : lowering.rule(for: state.pointee, programs: &ruleSet.programs))
    }

    mutating func poison(_ location: UInt64, _ error: CFIError) {
        append(location, .unknown(Reason(error.reason)))
    }

    private mutating func append(_ location: UInt64, _ rule: Rule) {
        if rows.last?.address == location { rows.removeLast() }
        rows.append(LoweredFrames.Row(address: location, rule: Int(ruleSet.number(of: rule))))
    }
}
