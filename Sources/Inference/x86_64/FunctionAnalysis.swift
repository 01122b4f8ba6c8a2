import CZydis

/// Infers the rules of functions, one after the other: which state holds before each of its instructions, on all paths.
///
/// Not thread-safe: use one per thread. Its memory grows with the largest function, not with the program.
public final class FunctionAnalysis {
    /// An instruction that is reached.
    public struct Visit {
        /// SVMA.
        public var address: UInt64
        /// In bytes.
        public var length: Int
        /// SVMA of the instruction that a path came from: the one in front of it; at the start of a block, the one from which
        /// it was first reached. Nil at the function's entry.
        public var origin: UInt64?
        /// Whether a block starts here: paths may join.
        public var isBlockStart: Bool
        /// What holds before it. Valid during the call.
        public var state: SymbolicState
        public var rule: InferredRule
        /// The number of the extent that it is in.
        public var extent: Int
    }

    /// What an analysis found besides rules.
    public struct Result: Sendable {
        /// Why the function gets no rules; nil if it gets some.
        public var failure: InferenceFailure?
        /// SVMA of the instruction that is the cause; the function's start if no single one is.
        public var failureAddress: UInt64
        /// The numbers of the extents that are parts of the function, the first one included; without those that have an
        /// entry of their own, in whose middle it continues.
        public var extents: [Int]
        /// The numbers of the extents at whose starts it jumps as a tail call.
        public var tailCalls: [Int]
        /// What was found out about a function that no call frame information covers; nothing is for others.
        var links = Links()
    }

    /// The largest function that is analysed, with all its parts, in bytes.
    public static var sizeLimit: Int { 4 << 20 }
    /// The largest function in whose middle another one may continue, in bytes.
    static var sharedLimit: Int { 16 << 10 }
    /// The most parts of a function, and the most words that the states at its blocks' starts may take.
    static var partLimit: Int { 256 }
    static var wordLimit: Int { 8 << 20 }
    /// How many instructions, and elements of jump tables, may be walked for each byte of the function, however often; and how many at least.
    public static var stepLimit: (perByte: Int, least: Int) { (64, 10_000) }

    let code: ProgramCode
    var parts = FunctionParts()
    var decoded = DecodedCode()
    var blocks = BlockStates()
    var effects = InstructionEffects()
    /// What holds at the place that a walk has reached.
    let current = SymbolicState(words: .allocate(capacity: SymbolicState.capacity))
    /// What holds on a path that branches off.
    let branched = SymbolicState(words: .allocate(capacity: SymbolicState.capacity))
    /// Offsets of calls, and SVMAs of functions, that turned out not to return.
    var endingCalls: Set<Int> = []
    var endingFunctions: Set<UInt64> = []
    private var steps = 0
    /// Offset of the instruction that is being walked.
    var position = 0
    /// Whether all states are final, and what must hold at the ends of paths is checked.
    var isFinal = false
    var failure: (InferenceFailure, UInt64)?
    var mustRestart = false
    var tailCalls: Set<Int> = []
    var links = Links()
    /// SVMAs of functions that return with another rbp.
    var framePointerChanging: Set<UInt64> = []
    /// Whether what the function jumps to with the stack as at its entry is walked as a part of it, too, if nothing else says
    /// that a function begins there.
    var followsParts = false
    /// Offsets of calls at the ends of parts, and numbers of the parts that begin behind them.
    private var callsAtEnds: [Int: Int] = [:]
    /// How many bytes of parts that lie elsewhere may still be walked, in all functions together.
    var partBudget = Int.max

    /// `openDecoder` must have returned before.
    public init(_ code: ProgramCode) { self.code = code }

    deinit {
        current.words.deallocate()
        branched.words.deallocate()
    }

    /// Analyses the function that begins with an extent.
    ///
    /// - Parameters:
    ///   - function: number of the extent.
    ///   - visit: called for each instruction that is reached, in no particular order. If the result is a failure, what
    ///     it was called with must be discarded.
    public func run(_ function: Int, visit: (borrowing Visit) -> Void) -> Result {
        start(function)
        analyse(visit)
        if failure != nil, !callsAtEnds.isEmpty {
            // What follows may be another function's part: then these calls don't return.
            let ending = callsAtEnds
            start(function)
            endingCalls = Set(ending.keys)
            analyse(visit)
            // Unless they are the function's own: then some of its paths are missing.
            if let own = parts.parts.first(where: { ending.values.contains($0.extent) }) { fail(.runsOut, own.start) }
        }
        links.continuesIn = Set(parts.parts.dropFirst().map(\.extent).filter { code.isEntry[$0] })
            .union(links.continuesIn)
        return Result(
            failure: failure?.0, failureAddress: failure?.1 ?? code.extents[function].lowerBound,
            extents: [function] + parts.parts.dropFirst().map(\.extent).filter { !code.isEntry[$0] },
            tailCalls: tailCalls.sorted(), links: links)
    }

    /// SVMAs of the blocks that the last run reached, even if it failed.
    var reachedBlocks: [UInt64] {
        parts.parts.isEmpty ? [] : blocks.starts.elements.map { address(Int($0)) }
    }

    private func analyse(_ visit: (borrowing Visit) -> Void) {
        if failure == nil { repeat { walkAll() } while mustRestart && failure == nil }
        if failure == nil { replay(visit) }
    }

    private func start(_ function: Int) {
        parts.removeAll()
        decoded.reset()
        effects.reset()
        endingCalls.removeAll()
        endingFunctions.removeAll()
        tailCalls.removeAll()
        links = Links()
        callsAtEnds.removeAll()
        steps = 0
        failure = nil
        guard append(function) else { return }
        blocks.reset(size: parts.size, keepsLeaders: false)
    }

    /// Adds an extent to the function. False if that fails, which is then the function's failure.
    func append(_ extent: Int) -> Bool {
        let range = code.extents[extent]
        guard range.count <= Self.sizeLimit - parts.size, parts.parts.count < Self.partLimit else {
            return fail(.tooLarge, range.lowerBound)
        }
        if !parts.parts.isEmpty {
            partBudget -= range.count
            guard partBudget >= 0 else { return fail(.tooLarge, range.lowerBound) }
        }
        guard !range.isEmpty, let bytes = code.bytes(at: range.lowerBound, count: range.count) else {
            return fail(.noBytes, range.lowerBound)
        }
        parts.append(
            extent: extent, start: range.lowerBound, bytes: UnsafeRawBufferPointer(rebasing: bytes[..<range.count]))
        decoded.extend(to: parts.size)
        return true
    }

    /// Notes the first failure. Always false.
    @discardableResult
    func fail(_ reason: InferenceFailure, _ address: UInt64) -> Bool {
        if failure == nil { failure = (reason, address) }
        return false
    }

    func address(_ offset: Int) -> UInt64 {
        let part = parts.part(at: offset)
        return part.start + UInt64(offset - part.base)
    }

    // MARK: Walking

    /// Walks all paths until no state changes any more, or a call turns out not to return: then all states are wrong.
    private func walkAll() {
        mustRestart = false
        blocks.reset(size: parts.size, keepsLeaders: true)
        blocks.setLeader(0)
        current.enter()
        arrive(0, current, from: nil, call: nil)
        while let block = blocks.next(), failure == nil, !mustRestart {
            current.take(blocks.state(at: block))
            walk(block) { _, _, _ in true }
        }
    }

    /// Hands out what holds at each instruction, and checks what must hold at the end of each path.
    private func replay(_ visit: (borrowing Visit) -> Void) {
        isFinal = true
        defer { isFinal = false }
        var index = 0
        while index < blocks.starts.count, failure == nil {
            let block = Int(blocks.starts.elements[index])
            index += 1
            current.take(blocks.state(at: block))
            var previous: UInt64?
            walk(block) { offset, instruction, part in
                let address = part.start + UInt64(offset - part.base)
                if uses(callersRegistersBy: instruction) { links.usesCallersRegisters = true }
                guard let rule = InferredRule(current) else { return fail(.lostFrame, address) }
                let isStart = offset == block
                let origin = isStart ? blocks.origin(of: block).map(self.address) : previous
                previous = address
                visit(
                    Visit(
                        address: address, length: Int(instruction.length), origin: origin, isBlockStart: isStart,
                        state: current, rule: rule, extent: part.extent))
                return true
            }
        }
    }

    /// Walks from the start of a block, with the state there in `current`, to where the next one starts or the path ends.
    ///
    /// - Parameter body: called before each instruction; false ends the walk.
    @inline(__always)
    private func walk(_ block: Int, _ body: (Int, Instruction, FunctionParts.Part) -> Bool) {
        let part = parts.part(at: block)
        let end = part.base + part.bytes.count
        var offset = block
        // The call that was the last instruction but for those that do nothing.
        var call: Int?
        var comparison: Comparison?
        var memoryBound: MemoryBound?
        while true {
            guard offset < end else { return runOut(of: part, call) }
            if offset != block, blocks.isLeader(offset) { return arrive(offset, current, from: position, call: call) }
            let instruction = decoded.instruction(at: offset, in: part)
            position = offset
            guard body(offset, instruction, part) else { return }
            if !isFinal {
                blocks.setOwner(offset, block)
                guard takeSteps(1) else { return }
            }
            let next = offset + Int(instruction.length)
            let nextAddress = part.start + UInt64(next - part.base)
            switch instruction.operation {
            case CFIC_X86_CALL, CFIC_X86_CALL_INDIRECT:
                guard passes(instruction, at: offset, nextAddress) else { return }
                call = offset
            case CFIC_X86_BRANCH:
                call = nil
                branch(instruction, comparison, nextAddress)
                memoryBound =
                    comparison?.boundOfMemory(cfic_x86_condition(UInt32(instruction.condition))) ?? memoryBound
            case CFIC_X86_NOTHING: break
            case CFIC_X86_SYSTEM_CALL:
                call = nil
                guard passesSystemCall(at: nextAddress - UInt64(instruction.length)) else { return }
                effects.apply(instruction, at: offset, next: nextAddress, to: current)
                memoryBound?.apply(instruction, to: current)
            case CFIC_X86_RETURN, CFIC_X86_STOP, CFIC_X86_UNDECODABLE, CFIC_X86_JUMP, CFIC_X86_JUMP_REGISTER,
                CFIC_X86_JUMP_MEMORY:
                return finish(instruction, at: nextAddress - UInt64(instruction.length), nextAddress)
            default:
                call = nil
                effects.apply(instruction, at: offset, next: nextAddress, to: current)
                memoryBound?.apply(instruction, to: current)
            }
            if let bound = memoryBound, !bound.outlives(instruction) { memoryBound = nil }
            comparison = Comparison(instruction)
            offset = next
            if failure != nil || mustRestart { return }
        }
    }

    /// Counts steps. False if there are too many, which is then the function's failure.
    func takeSteps(_ count: Int) -> Bool {
        steps += count
        let limit = Self.stepLimit
        return steps <= max(limit.least, parts.size * limit.perByte) || fail(.tooManySteps, parts.parts[0].start)
    }

    /// The walk reached the end of a part.
    private func runOut(of part: FunctionParts.Part, _ call: Int?) {
        let end = part.start + UInt64(part.bytes.count)
        if let call {
            // Nothing is behind a call but another function: it doesn't return. In code without extents of functions, what
            // others jump to may be a part of this one, too.
            guard let extent = code.extent(at: end), code.isUncovered(extent), !code.isEntry[extent] else { return }
            if !isFinal { callsAtEnds[call] = extent }
            return jump(to: end, current, from: end, call: call)
        }
        // Assembly may continue with the next function, with padding between them.
        guard let next = code.functionBehind(end) else {
            fail(.runsOut, end)
            return
        }
        jump(to: next, current, from: end)
    }

    /// A path arrives at an offset of the function.
    func arrive(_ offset: Int, _ state: SymbolicState, from origin: Int?, call: Int?) {
        guard !isFinal else { return }
        guard blocks.wordCount < Self.wordLimit else {
            fail(.tooLarge, address(offset))
            return
        }
        guard case .contradicts(let call) = blocks.arrive(at: offset, state, from: origin, call: call) else { return }
        endingCalls.insert(call)
        let instruction = decoded.instruction(at: call, in: parts.part(at: call))
        if instruction.operation == CFIC_X86_CALL {
            endingFunctions.insert(
                address(call) + UInt64(instruction.length) &+ UInt64(bitPattern: instruction.immediate))
        }
        mustRestart = true
    }
}
