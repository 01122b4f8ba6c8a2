/// Runs call frame instructions and hands rows to a sink (DWARF 5 §6.4.2, §6.4.3).
///
/// `Columns` determines which registers are tracked. The interpreter owns the stack of `DW_CFA_remember_state`, so
/// running an FDE allocates nothing.
public struct Interpreter<Columns: RegisterColumns> {
    /// How running a sequence of instructions ended.
    public enum Outcome: Equatable, Sendable {
        /// The sink got all rows.
        case complete
        /// The instruction at section offset `offset` is invalid. The rows before `location` are valid; the rules from
        /// there on are unknown.
        case poisoned(CFIError, location: UInt64, offset: Int)
    }

    @usableFromInline let section: FrameSection
    /// The section's first byte.
    @usableFromInline let base: UnsafeRawPointer
    @usableFromInline let codeAlignment: UInt64
    @usableFromInline let dataAlignment: Int64
    @usableFromInline let pointerEncoding: PointerEncoding
    @usableFromInline let addressSize: Int
    /// Bit N is set if `Columns` tracks register N, below 64.
    @usableFromInline let keptRegisters: UInt64
    /// Whether `takeRun` can run this CIE's FDEs.
    @usableFromInline let allowsRuns: Bool
    /// The state after the CIE's instructions: each FDE starts with it, and `restore` takes rules from it.
    public var initial: FrameState<Columns>
    /// The stack of `DW_CFA_remember_state`: the first `depth` elements. Later elements are left over and reused.
    @usableFromInline var remembered: [FrameState<Columns>] = []
    @usableFromInline var depth = 0

    /// Runs the CIE's own instructions, so that its FDEs can be run.
    ///
    /// - Throws: if the CIE's instructions are invalid.
    @inlinable
    public init(_ section: FrameSection, cie: CommonInformationEntry, columns: Columns) throws(CFIError) {
        let (interpreter, failure) = Self.prepared(section, cie: cie, columns: columns)
        if let failure { throw failure }
        self = interpreter
    }

    /// Like the throwing initialiser, but returns the error. An interpreter with an error must not run FDEs.
    @inlinable
    public static func prepared(
        _ section: FrameSection, cie: CommonInformationEntry, columns: Columns
    ) -> (Interpreter, CFIError?) {
        var interpreter = Interpreter(unprepared: section, cie, columns)
        var state = interpreter.initial
        var sink = DiscardedRows<Columns>()
        let outcome = withUnsafeMutablePointer(to: &state) {
            interpreter.execute(cie.initialInstructions, from: 0, to: .max, $0, sink: &sink)
        }
        interpreter.initial = state
        if case .poisoned(let error, _, _) = outcome { return (interpreter, error) }
        return (interpreter, nil)
    }

    @inlinable
    init(unprepared section: FrameSection, _ cie: CommonInformationEntry, _ columns: Columns) {
        self.section = section
        base = section.base
        codeAlignment = cie.codeAlignment
        dataAlignment = cie.dataAlignment
        pointerEncoding = cie.pointerEncoding
        addressSize = cie.addressSize
        initial = FrameState(columns: columns)
        keptRegisters = (0..<64).reduce(0) { columns.keeps($1) ? $0 | 1 << $1 : $0 }
        allowsRuns =
            !section.isBigEndian && (1...Self.largestRunAlignment).contains(codeAlignment)
            && (-Self.largestRunDataAlignment...Self.largestRunDataAlignment).contains(dataAlignment)
    }

    /// Runs an FDE's instructions. The sink gets no rows that start at or after the FDE's end.
    @inlinable @inline(__always)
    public mutating func run<Sink: RowSink & ~Copyable>(
        _ fde: borrowing FrameDescriptionEntry, sink: inout Sink
    ) -> Outcome where Sink.Columns == Columns {
        run(instructions: fde.instructions, start: fde.start, limit: fde.limit, sink: &sink)
    }

    @inlinable @inline(__always)
    public mutating func run<Sink: RowSink & ~Copyable>(
        instructions: Range<Int>, start: UInt64, limit: UInt64, sink: inout Sink
    ) -> Outcome where Sink.Columns == Columns {
        var state = initial
        return withUnsafeMutablePointer(to: &state) {
            execute(instructions, from: start, to: limit, $0, sink: &sink)
        }
    }

    @inlinable @inline(__always)
    mutating func execute<Sink: RowSink & ~Copyable>(
        _ instructions: Range<Int>, from start: UInt64, to limit: UInt64,
        _ state: UnsafeMutablePointer<FrameState<Columns>>,
        sink: inout Sink
    ) -> Outcome where Sink.Columns == Columns {
        let end = instructions.upperBound
        var progress = FrameProgress(offset: instructions.lowerBound, end: end, location: start, limit: limit)
        var instruction = progress.offset
        depth = 0
        do throws(CFIError) {
            while progress.offset < end {
                instruction = progress.offset
                if allowsRuns {
                    if takeRun(&progress, state, &sink) { return .complete }
                    if progress.offset != instruction { continue }
                }
                let opcode = base.load(fromByteOffset: instruction, as: UInt8.self)
                progress.offset &+= 1
                if opcode == Opcode.nop { continue }
                var cursor = section.cursor(progress.offset..<end)
                let target = try execute(opcode, &cursor, state, at: progress.location, start: start)
                progress.offset = cursor.position
                // An advance by zero makes no row: of several rows at one location the last wins.
                guard target != progress.location else { continue }
                sink.row(at: progress.location, state)
                progress.location = target
                if target >= limit { return .complete }
            }
        } catch {
            return .poisoned(error, location: progress.location, offset: instruction)
        }
        sink.row(at: progress.location, state)
        return .complete
    }

    /// Executes one instruction of any kind, without handing out rows or checking for the end of the FDE. Returns the
    /// new location, which is `location` if the instruction only changes rules.
    @inlinable @inline(never)
    mutating func execute(
        _ opcode: UInt8, _ cursor: inout ByteCursor, _ state: UnsafeMutablePointer<FrameState<Columns>>,
        at location: UInt64, start: UInt64
    ) throws(CFIError) -> UInt64 {
        switch opcode {
        case Opcode.defCFAOffset:
            guard state.pointee.cfa.kind == .registerOffset else { throw .cfaNotRegisterOffset }
            state.pointee.cfa.operand = Int64(bitPattern: try cursor.readULEB())
        case Opcode.offset...(Opcode.offset | 0x3f):
            let rule = savedAt(factored: try cursor.readULEB())
            state.pointee.columns.setRule(rule, for: UInt64(opcode & 0x3f))
        case Opcode.advanceLoc...(Opcode.advanceLoc | 0x3f): return advance(location, by: UInt64(opcode & 0x3f))
        case Opcode.advanceLoc1: return advance(location, by: UInt64(try cursor.readU8()))
        case Opcode.advanceLoc2: return advance(location, by: UInt64(try cursor.read(UInt16.self)))
        case Opcode.advanceLoc4: return advance(location, by: UInt64(try cursor.read(UInt32.self)))
        case Opcode.mipsAdvanceLoc8: return advance(location, by: try cursor.read(UInt64.self))
        case Opcode.setLoc:
            let target = try section.readPointer(
                &cursor, encoding: pointerEncoding, addressSize: addressSize, function: start)
            guard target >= location else { throw .backwardSetLocation }
            return target
        default: try apply(opcode, &cursor, &state.pointee)
        }
        return location
    }

    /// Adds a factored advance. If the address wraps around, returns the maximum, which is outside every FDE.
    @inlinable @inline(__always)
    func advance(_ location: UInt64, by delta: UInt64) -> UInt64 {
        let (factored, tooFar) = delta.multipliedReportingOverflow(by: codeAlignment)
        let (sum, wrapped) = location.addingReportingOverflow(factored)
        return tooFar || wrapped ? .max : sum
    }

    /// `offset(N)`, with N times the data alignment factor. Though N is an unsigned operand, it is read as a two's
    /// complement number, as all consumers do, because assemblers have no other way to write a negative one.
    @inlinable @inline(__always)
    func savedAt(factored: UInt64) -> RegisterRule {
        let (offset, overflow) = Int64(bitPattern: factored).multipliedReportingOverflow(by: dataAlignment)
        return overflow ? RegisterRule(.tooWide) : RegisterRule(.offset, signed: offset)
    }

    @inlinable @inline(__always)
    mutating func remember(_ state: FrameState<Columns>) throws(CFIError) {
        // The specification doesn't bound the depth; real code nests up to 3. The limit of 64 MiB of states keeps a
        // hostile FDE, which needs only one byte per state, from using memory out of proportion.
        guard depth < (64 << 20) / (MemoryLayout<CFARule>.stride + Columns.largestSize) else {
            throw .rememberStateTooDeep
        }
        if depth < remembered.count { remembered[depth] = state } else { remembered.append(state) }
        depth &+= 1
    }

    @inlinable @inline(__always)
    mutating func restore(_ state: inout FrameState<Columns>) throws(CFIError) {
        guard depth > 0 else { throw .restoreStateUnderflow }
        depth &-= 1
        state = remembered[depth]
    }
}

/// The sink for a CIE's instructions, whose rows are not needed.
@usableFromInline
struct DiscardedRows<Columns: RegisterColumns>: RowSink {
    @inlinable init() {}
    @inlinable mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<Columns>>) {}
}
