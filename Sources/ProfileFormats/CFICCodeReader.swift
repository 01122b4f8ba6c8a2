import Symbols

/// Reads the nodes, frames and functions that stacks in a .cfic file refer to: what ``StackColumns`` wrote.
struct CFICCodeReader {
    private let names: [NameTable.ID]
    private let moduleCount: Int
    /// By node: its caller; how many nodes there are from it to the root, itself included; its frame, plus 1. The first is the
    /// root.
    private var parents: [UInt32] = [0], depths: [UInt32] = [0], frames: [UInt32] = [0]
    /// By frame: the one that called it when it came first, plus 1; 0 for none.
    private var callers: [UInt32] = []

    /// - Parameter count: of stacks.
    /// - Returns: the node of each stack, and the number of frames of each node.
    static func read(
        _ count: Int, from numbers: inout NumberReader, names: [NameTable.ID], into profile: inout NamedProfile
    ) throws(ProfileProblem) -> (nodes: [UInt32], depths: [UInt32]) {
        var reader = CFICCodeReader(names: names, moduleCount: profile.modules.count)
        let nodes = try reader.readNodes(count, &numbers)
        try reader.readFrames(&numbers, into: &profile)
        for index in reader.parents.indices.dropFirst() {
            let node = profile.node(of: reader.frames[index] - 1, calledFrom: reader.parents[index])
            guard node == index else { throw numbers.problem("a node is there twice") }
        }
        return (nodes, reader.depths)
    }

    private init(names: [NameTable.ID], moduleCount: Int) { (self.names, self.moduleCount) = (names, moduleCount) }

    /// - Returns: the node of each stack.
    private mutating func readNodes(_ count: Int, _ numbers: inout NumberReader) throws(ProfileProblem) -> [UInt32] {
        let limit = 1 << 32 - 2
        var sum = 0
        let newCounts = try numbers.column(count) { numbers throws(ProfileProblem) in
            let newCount = Int(try numbers.number(upTo: UInt64(limit - sum), "number of nodes"))
            sum += newCount
            return newCount
        }
        // For stacks with new nodes: which node calls the first of them; for others, their own.
        var nodes = [UInt32](repeating: 0, count: count)
        for hasNew in [false, true] {
            var before = 0
            for (stack, newCount) in newCounts.enumerated() {
                if (newCount > 0) == hasNew { nodes[stack] = try numbers.index(below: before + 1, "node") }
                before += newCount
            }
        }
        // It reads something for each node, so that memory is in proportion to the file.
        var callees = try CalleeSequence(sum, from: &numbers, "a frame's place")
        for (stack, newCount) in newCounts.enumerated() {
            for _ in 0..<newCount { nodes[stack] = try addNode(calledFrom: nodes[stack], &callees, numbers) }
        }
        return nodes
    }

    private mutating func addNode(
        calledFrom parent: UInt32, _ callees: inout CalleeSequence, _ numbers: NumberReader
    ) throws(ProfileProblem) -> UInt32 {
        let caller = frames[Int(parent)]
        guard let frame = callees.next(calledFrom: Int(caller)) else {
            throw numbers.problem("a frame is out of bounds")
        }
        if frame == callers.count { callers.append(caller) }
        parents.append(parent)
        depths.append(depths[Int(parent)] + 1)
        frames.append(frame + 1)
        return UInt32(parents.count - 1)
    }

    private mutating func readFrames(
        _ numbers: inout NumberReader, into profile: inout NamedProfile
    ) throws(ProfileProblem) {
        var sequence = try CalleeSequence(callers.count, from: &numbers, "a function's place")
        let functions = try readFunctions(sequence.newCount, &numbers)
        let marks = try numbers.column(callers.count) { numbers throws(ProfileProblem) in
            NamedProfile.Marks(rawValue: UInt8(try numbers.number(upTo: 127, "marks")))
        }
        let addresses = try numbers.column(callers.count) { numbers throws(ProfileProblem) in
            try numbers.signed("address")
        }
        var context = CodeContext(moduleCount: moduleCount)
        for (index, caller) in callers.map(Int.init).enumerated() {
            guard let number = sequence.next(calledFrom: context.function(of: caller)) else {
                throw numbers.problem("a function is out of bounds")
            }
            var frame = functions[Int(number)]
            let module = frame.module.map { Int($0) + 1 } ?? 0
            frame.marks = marks[index]
            frame.address =
                context.address(
                    isInlined: frame.marks.contains(.inlined), caller: caller, function: number, module: module)
                &+ UInt64(bitPattern: addresses[index])
            let line = Int64(context.line(of: number)).addingReportingOverflow(try numbers.signed("line"))
            guard !line.overflow, let line = UInt32(exactly: line.partialValue) else {
                throw numbers.problem("a line is out of bounds")
            }
            frame.line = line
            context.add(function: number, module: module, address: frame.address, line: line)
            guard profile.number(of: frame) == index else { throw numbers.problem("a frame is there twice") }
        }
    }

    /// - Returns: a frame of each function, without what differs between its frames.
    private func readFunctions(
        _ count: Int, _ numbers: inout NumberReader
    ) throws(ProfileProblem) -> [NamedProfile.Frame] {
        let symbols = try numbers.column(count) { numbers throws(ProfileProblem) in try numbers.signed("symbol") }
        var highest: Int64 = -1
        var functions = try symbols.indices.map { index throws(ProfileProblem) in
            let (name, overflow) = try numbers.signed("name").addingReportingOverflow(highest + 1)
            let (symbol, symbolOverflow) = name.addingReportingOverflow(symbols[index])
            guard !overflow, !symbolOverflow, let name = self.name(name), let symbol = self.name(symbol) else {
                throw numbers.problem("a function's name is out of bounds")
            }
            highest = max(highest, Int64(name.number), Int64(symbol.number))
            return NamedProfile.Frame(function: name, symbol: symbol, module: nil, file: names[0])
        }
        for index in functions.indices {
            let module = try numbers.index(below: moduleCount + 1, "module")
            functions[index].module = module == 0 ? nil : module - 1
        }
        for index in functions.indices { functions[index].file = try numbers.name(of: names) }
        return functions
    }

    private func name(_ number: Int64) -> NameTable.ID? {
        names.indices.contains(Int(number)) ? names[Int(number)] : nil
    }
}
