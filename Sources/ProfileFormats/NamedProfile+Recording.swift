import Files
import KernelUnwinder
import Profile
import Symbols

extension NamedProfile {
    /// Names a recording. Processes are told apart if the recording does.
    public init(_ recording: Recording, names symbolizer: Symbolizer) {
        let event =
            switch recording.event {
            case .clock: "clock"
            case let event?: event.name
            case nil: ""
            }
        self.init(
            unit: recording.countsTime ? .nanoseconds : recording.period == nil ? .samples : .events, event: event,
            seconds: recording.seconds)
        period = recording.period
        frequency = recording.event == nil || recording.period != nil ? nil : recording.frequency
        includesWaits = recording.includesWaits
        lostSamples = (try? recording.counters.get().lost) ?? 0
        var naming = Naming(symbolizer, interruptsCode: [.clock, .hardware].contains(recording.event?.kind))
        /// By the stack's number in the recording; nil if it has no samples. Address spaces are known when all are named.
        var named: [(stack: Stack, space: Int, weight: Weight)?] = []
        for (stack, count) in recording.stacks.counted {
            guard count > 0 else {
                named.append(nil)
                continue
            }
            let (found, space) = naming.stack(stack, cgroup: recording.cgroups[stack.cgroup], in: &self)
            let weight = Weight(samples: count, total: recording.weight(of: stack, count: count))
            named.append((found, space, weight))
        }
        let spaces = naming.spaces.all.map { space(of: $0) }
        let numbers = named.map { named in
            guard let (stack, space, weight) = named else { return 0 }
            var placed = stack
            placed.space = spaces[space]
            return add(placed, weight)
        }
        timeline = recording.timeline
        timeline?.renumber { numbers[$0] }
    }
}

/// Names the stacks of a recording, each frame once.
private struct Naming {
    private struct UserFrame: Hashable {
        var space: AddressSpace
        var frame: Sample.Frame
        /// AVMA, of code that isn't in a file; else 0.
        var address: UInt64
    }

    private struct KernelFrame: Hashable {
        var address: UInt64
        var isExact: Bool
    }

    /// A frame with the functions that are inlined in it.
    private struct NamedFrame {
        /// The function's number, followed by those of the functions that are inlined there.
        var numbers: [UInt32] = []
        /// What it is in of a file, and the frame's SVMA; nil if it isn't in a file.
        var piece: (number: UInt32, address: UInt64)?
    }

    private let symbolizer: Symbolizer
    /// Address spaces of the stacks so far.
    private(set) var spaces = RecordedSpaces()
    /// Whether samples of running threads are taken by interrupts. Elsewhere, as at tracepoints, the kernel's innermost
    /// address is that of a call.
    private let interruptsCode: Bool
    private var userFrames: [UserFrame: NamedFrame] = [:]
    private var kernelFrames: [KernelFrame: UInt32] = [:]
    private var modules: [Symbolizer.Location: UInt32] = [:]
    private var names: [NameTable.ID: NameTable.ID] = [:]

    init(_ symbolizer: Symbolizer, interruptsCode: Bool) {
        (self.symbolizer, self.interruptsCode) = (symbolizer, interruptsCode)
    }

    /// - Returns: the stack, and its address space's number in `spaces`.
    mutating func stack(
        _ stack: Stacks.Stack, cgroup: String?, in profile: inout NamedProfile
    ) -> (NamedProfile.Stack, space: Int) {
        var node: UInt32 = 0, mappings = StackMappings()
        for index in stack.userFrames.indices.reversed() {
            let address = stack.addresses.isEmpty ? 0 : stack.addresses[index]
            let frame = named(stack.userFrames[index], at: address, space: stack.space, in: &profile)
            for number in frame.numbers { node = profile.node(of: number, calledFrom: node) }
            if let piece = frame.piece, !stack.addresses.isEmpty {
                mappings.append(profile.mapping(of: piece.number, thatHas: piece.address, at: address))
            }
        }
        for index in stack.kernelFrames.indices.reversed() {
            let frame = KernelFrame(
                address: stack.kernelFrames[index], isExact: index == 0 && interruptsCode && !stack.isWaiting)
            node = profile.node(of: number(of: frame, in: &profile), calledFrom: node)
        }
        let named = NamedProfile.Stack(
            node: node, process: stack.space.process, thread: profile.name(stack.command),
            cgroup: profile.name(cgroup ?? ""), isWaiting: stack.isWaiting,
            end: profile.name(stack.end.name + (stack.end.reasonName.map { ": \($0)" } ?? "")), outcome: stack.outcome)
        return (named, spaces.add(mappings, of: stack.space.process, pieces: profile.pieces))
    }

    private mutating func named(
        _ frame: Sample.Frame, at address: UInt64, space: AddressSpace, in profile: inout NamedProfile
    ) -> NamedFrame {
        var space = space
        // What is resolved is the same for all processes, but for memory without a file.
        if space.isResolved { space.process = 0 }
        var key = UserFrame(space: space, frame: frame, address: 0)
        if let known = userFrames[key] { return known }
        let location = symbolizer.location(of: frame, in: space)
        if location != nil, location?.address == nil {
            key.address = address
            if let known = userFrames[key] { return known }
        }
        let file = location.map { module($0, in: &profile) }
        var result = NamedFrame()
        if let file, let location, let piece = location.piece, let address = location.address {
            let number = profile.number(
                of: .init(module: file, start: piece.start, size: piece.size, offset: piece.offset))
            result.piece = (number, address)
        }
        for found in symbolizer.functions(of: frame, in: space).reversed() {
            let function = name(found.name, in: &profile)
            var symbol = function
            if let mangled = found.symbol { symbol = profile.name(mangled) }
            var named = NamedProfile.Frame(
                function: function, symbol: symbol, module: file, address: location?.address ?? key.address,
                file: profile.name(found.file ?? ""), line: found.line ?? 0, marks: NamedProfile.Marks(frame))
            if found.isInlined { named.marks.insert(.inlined) }
            result.numbers.append(profile.number(of: named))
        }
        userFrames[key] = result
        return result
    }

    private mutating func number(of frame: KernelFrame, in profile: inout NamedProfile) -> UInt32 {
        if let known = kernelFrames[frame] { return known }
        let function = name(symbolizer.kernelID(of: frame.address), in: &profile)
        let module = profile.number(
            of: NamedProfile.Module(path: profile.name("[kernel]"), buildID: profile.noName))
        let number = profile.number(
            of: NamedProfile.Frame(
                function: function, symbol: function, module: module, address: frame.address,
                file: profile.noName, marks: frame.isExact ? [.kernel, .exact] : .kernel))
        kernelFrames[frame] = number
        return number
    }

    private mutating func module(_ location: Symbolizer.Location, in profile: inout NamedProfile) -> UInt32 {
        var key = location
        (key.address, key.piece) = (nil, nil)
        if let known = modules[key] { return known }
        let number = profile.number(
            of: NamedProfile.Module(
                path: profile.name(location.module), buildID: profile.name(location.buildID.map(Hex.text) ?? "")))
        modules[key] = number
        return number
    }

    private mutating func name(_ id: NameTable.ID, in profile: inout NamedProfile) -> NameTable.ID {
        if let known = names[id] { return known }
        let name = profile.name(symbolizer.names[id])
        names[id] = name
        return name
    }
}

extension NamedProfile.Marks {
    fileprivate init(_ frame: Sample.Frame) {
        self = frame.isExact ? .exact : []
        if frame.isGuessed { insert(.guessed) }
        if frame.isUnchecked { insert(.unchecked) }
        if frame.isFinished { insert(.finished) }
        if frame.isInferred { insert(.inferred) }
    }
}
