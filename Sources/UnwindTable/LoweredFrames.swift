import CUnwindTable
import CallFrameInfo

/// The lowered rows of every FDE by itself, in file order: not sorted, merged, clipped or cut into pages.
///
/// For relocatable files, whose FDEs overlap at address 0 and so make no table; and, having nothing in common
/// with the way to a table but interpreter and lowering, as the linear evaluation that tables are checked with.
public struct LoweredFrames {
    public struct Row: Sendable {
        /// SVMA from which the rule holds, up to the next row or the frame's limit.
        public var address: UInt64
        /// Index into `rules`.
        public var rule: Int
    }

    public struct Frame: Sendable {
        /// Index of the section, and offset in it.
        public var section: Int
        public var offset: Int
        /// SVMAs: the first byte, and behind the last one.
        public var start: UInt64
        public var limit: UInt64
        /// By rising address; rows behind `limit` are left out.
        public var rows: [Row] = []
        /// What is wrong with it, wholly or in part.
        public var error: CFIError?
    }

    public private(set) var frames: [Frame] = []
    public private(set) var rules: [Rule] = []
    /// The programs that the rules name.
    public private(set) var operations: [Operation] = []
    /// Entries whose range could not be read.
    public private(set) var malformed: [FrameIndex.MalformedEntry] = []

    public init(_ sections: [FrameSection], machine: TableMachine) {
        switch machine {
        case .x86_64: read(sections, as: X86_64.self)
        case .aarch64: read(sections, as: AArch64.self)
        }
    }

    private mutating func read<A: Architecture>(_ sections: [FrameSection], as architecture: A.Type) {
        var ruleSet = RuleSet()
        for (number, section) in sections.enumerated() {
            var position = 0
            while position < section.bytes.count {
                do throws(CFIError) {
                    let header = try section.entryHeader(at: position)
                    position = header.end
                    if header.isTerminator, section.endsAtTerminator { break }
                    guard let cieOffset = header.cieOffset else { continue }
                    if let frame = try frame(header, cieOffset, section, number, &ruleSet, as: A.self) {
                        frames.append(frame)
                    }
                } catch {
                    malformed.append(.init(section: number, offset: position, error: error))
                    break
                }
            }
        }
        rules = ruleSet.rules
        operations = ruleSet.programs.operations
    }

    private mutating func frame<A: Architecture>(
        _ header: EntryHeader, _ cieOffset: Int, _ section: FrameSection, _ number: Int, _ ruleSet: inout RuleSet,
        as architecture: A.Type
    ) throws(CFIError) -> Frame? {
        let cie: CommonInformationEntry
        let fde: FrameDescriptionEntry
        do throws(CFIError) {
            cie = try section.commonInformationEntry(at: cieOffset)
            fde = try section.frameDescriptionEntry(header, cie: cie)
        } catch {
            malformed.append(.init(section: number, offset: header.offset, error: error))
            return nil
        }
        guard fde.length != 0 else { return nil }
        var frame = Frame(section: number, offset: fde.offset, start: fde.start, limit: fde.limit)
        var sink = LoweredRowSink<A>(
            lowering: Lowering(section: section, isSignalFrame: cie.isSignalFrame), ruleSet: ruleSet)
        do throws(CFIError) {
            let columns = TrackedRegisters<A>(returnAddressColumn: cie.returnAddressRegister)
            var interpreter = try Interpreter(section, cie: cie, columns: columns)
            let outcome = interpreter.run(fde, sink: &sink)
            if case .poisoned(let error, let location, _) = outcome {
                sink.poison(location, error)
                frame.error = error
            }
        } catch {
            sink.poison(fde.start, error)
            frame.error = error
        }
        if sink.isMisaligned { frame.error = frame.error ?? .misalignedAddress }
        frame.rows = sink.rows
        ruleSet = sink.ruleSet
        return frame
    }
}

/// Lowers each row on the spot.
private struct LoweredRowSink<A: Architecture>: RowSink {
    let lowering: Lowering<A>
    var ruleSet: RuleSet
    var rows: [LoweredFrames.Row] = []
    var isMisaligned = false

    init(lowering: Lowering<A>, ruleSet: RuleSet) {
        self.lowering = lowering
        self.ruleSet = ruleSet
    }

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<TrackedRegisters<A>>>) {
        if location % (1 << UInt64(A.pcShift)) != 0 { isMisaligned = true }
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
