import CZydis
import Search

/// Where control goes.
extension FunctionAnalysis {
    /// Takes the effects of a call. False if it doesn't return.
    func passes(_ instruction: Instruction, at offset: Int, _ next: UInt64) -> Bool {
        let isDirect = instruction.operation == CFIC_X86_CALL
        let target = next &+ UInt64(bitPattern: instruction.immediate)
        if isDirect, instruction.immediate == 0 {
            // A call of the next instruction pushes its address.
            effects.pushUnknown(current)
            return true
        }
        effects.apply(instruction, at: offset, next: next, to: current)
        if isDirect, let extent = code.extent(at: target), code.isUncovered(extent) {
            links.calls.insert(extent)
            if framePointerChanging.contains(target) { current[SymbolicState.framePointer] = .unknown }
        }
        land(address: next - UInt64(instruction.length), extent: parts.part(at: offset).extent)
        if endingCalls.contains(offset) { return false }
        return !(isDirect && (code.nonReturning.contains(target) || endingFunctions.contains(target)))
    }

    /// The call may throw, and continue at a landing pad with the stack as it is.
    private func land(address: UInt64, extent: Int) {
        guard let sites = code.callSites[extent],
            let index = sites.lastIndex(atMost: address, by: \.calls.lowerBound), sites[index].calls.contains(address)
        else { return }
        jump(to: sites[index].landingPad, current, from: address)
    }

    func branch(_ instruction: Instruction, _ comparison: Comparison?, _ next: UInt64) {
        let condition = cfic_x86_condition(UInt32(instruction.condition))
        branched.take(current)
        comparison?.refine(branched, condition, isTaken: true)
        jump(to: next &+ UInt64(bitPattern: instruction.immediate), branched, from: next - UInt64(instruction.length))
        comparison?.refine(current, condition, isTaken: false)
    }

    /// Ends a path with an instruction that control doesn't pass.
    func finish(_ instruction: Instruction, at address: UInt64, _ next: UInt64) {
        switch instruction.operation {
        case CFIC_X86_UNDECODABLE: fail(.undecodable, address)
        case CFIC_X86_RETURN: leave(.unbalancedReturn, current, address)
        case CFIC_X86_JUMP: jump(to: next &+ UInt64(bitPattern: instruction.immediate), current, from: address)
        case CFIC_X86_JUMP_REGISTER: jump(through: current[instruction.target], from: address)
        case CFIC_X86_JUMP_MEMORY where instruction.base == UInt8(CFIC_X86_INSTRUCTION_POINTER):
            leave(.unresolvedJump, current, address)
        case CFIC_X86_JUMP_MEMORY:
            jump(
                through: instruction.index < 16 ? effects.tables.element(instruction, current) : .unknown,
                from: address)
        default: break
        }
    }

    private func jump(through value: SymbolicValue, from address: UInt64) {
        switch value.kind {
        case .constant: jump(to: UInt64(bitPattern: value.number), current, from: address)
        case .tableTarget:
            guard let targets = effects.tables.targets(value, in: code, isWithin) else {
                fail(.unresolvedJump, address)
                return
            }
            guard isFinal || takeSteps(targets.read) else { return }
            // A target that takes a part in may move nothing that `current` refers to: it has memory of its own.
            // clang has elements that are never used lead to the end of the function.
            for target in targets.addresses where failure == nil && !mustRestart && !parts.isEnd(target) {
                jump(to: target, current, from: address)
            }
        default:
            // Else the jump may be a tail call. Whether it is can be said when all paths are known.
            if isFinal, !current.isBalanced { fail(.unresolvedJump, address) }
        }
    }

    /// Ends a path that leaves the function for a place where no frame of it may be left, once all states are final.
    private func leave(_ reason: InferenceFailure, _ state: SymbolicState, _ address: UInt64) {
        guard isFinal else { return }
        if state.isBalanced {
            links.exits += 1
            if reason == .unbalancedReturn { links.returns += 1 }
        } else {
            links.changesFramePointer =
                failure == nil && state[SymbolicState.stackPointer] == .cfa(-8)
                && state[SymbolicState.framePointer] != .initial(SymbolicState.framePointer)
            fail(reason, address)
        }
    }

    /// Whether an address is in the function, or in a part that lies elsewhere.
    private func isWithin(_ address: UInt64) -> Bool {
        parts.offset(of: address) != nil || code.extent(at: address).map { !code.isEntry[$0] } ?? false
    }

    /// Control continues at an address, in the function or not.
    ///
    /// - Parameter call: offset of the call right in front of it, if there is one.
    func jump(to target: UInt64, _ state: SymbolicState, from address: UInt64, call: Int? = nil) {
        if let offset = parts.offset(of: target) { return arrive(offset, state, from: position, call: call) }
        guard let extent = code.extent(at: target) else { return leave(.unbalancedJump, state, address) }
        let isStart = target == code.extents[extent].lowerBound
        // A part that lies elsewhere: nothing else calls it or points to it. Or the middle of another function, which has a
        // frame of the same shape.
        let isSmall = code.extents[extent].count <= Self.sharedLimit
        let isPart = !code.isEntry[extent] || (isSmall && (!isStart || code.isUncovered(extent)))
        let isFollowed = followsParts && code.isUncovered(extent) && !(isStart && code.isEntry[extent])
        if isPart, !state.isBalanced || (!isStart && !code.isEntry[extent]) || isFollowed, !isFinal {
            guard append(extent) else { return }
            blocks.extend(to: parts.size)
            if let offset = parts.offset(of: target) { arrive(offset, state, from: position, call: call) }
            return
        }
        guard isFinal else { return }
        if !state.isBalanced {
            links.continuesIn.insert(extent)
            leave(.unbalancedJump, state, address)
        } else if isStart {
            tailCalls.insert(extent)
            if code.isEntry[extent] { links.exits += 1 }
        } else {
            links.middles.insert(extent)
        }
    }
}

extension InstructionEffects {
    func pushUnknown(_ state: SymbolicState) {
        let top = state[SymbolicState.stackPointer].adding(-8)
        state[SymbolicState.stackPointer] = top
        state.forget(8, at: top)
    }
}
