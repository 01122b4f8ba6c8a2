import Profile
import Symbols

/// The columns of stacks in a .cfic file, and of what they consist of: nodes, frames, functions, tasks. These are numbered as
/// stacks refer to them; what no stack refers to isn't there.
struct StackColumns {
    private let profile: NamedProfile
    private var code: CodeColumns
    private var tasks: TaskColumns
    private var newNodes = NumberWriter(), nodes = NumberWriter(), callers = NumberWriter()
    /// By node of the profile: its number; 0 if it has none yet.
    private var numbers: [UInt32]
    private var nodeCount: UInt32 = 0

    init(of profile: NamedProfile) {
        self.profile = profile
        (code, tasks) = (CodeColumns(of: profile), TaskColumns(of: profile))
        numbers = [UInt32](repeating: 0, count: profile.nodes.count)
        // Innermost first.
        var path: [UInt32] = []
        for (stack, _) in profile.stacks {
            addNodes(of: stack.node, &path)
            tasks.add(stack)
        }
    }

    private mutating func addNodes(of node: UInt32, _ path: inout [UInt32]) {
        var node = node
        path.removeAll(keepingCapacity: true)
        while node != 0, numbers[Int(node)] == 0 {
            path.append(node)
            node = profile.nodes[Int(node)].parent
        }
        newNodes.number(path.count)
        if path.isEmpty { nodes.number(numbers[Int(node)]) } else { callers.number(numbers[Int(node)]) }
        for next in path.reversed() {
            code.add(profile.nodes[Int(next)].frame, calledFrom: node == 0 ? nil : profile.nodes[Int(node)].frame)
            nodeCount += 1
            numbers[Int(next)] = nodeCount
            node = next
        }
    }

    func write(to numbers: inout NumberWriter) {
        numbers.number(profile.stacks.count)
        for column in [newNodes, nodes, callers] + code.columns + tasks.columns { numbers.append(column) }
        for (stack, _) in profile.stacks { numbers.number(stack.end.number) }
        for (stack, weight) in profile.stacks {
            let isUsual = profile.usualWeight(stack, samples: weight.samples) == weight.total
            numbers.number(stack.outcome.code << 2 | (stack.isWaiting ? 2 : 0) | (isUsual ? 0 : 1))
        }
        for (_, weight) in profile.stacks { numbers.number(weight.samples) }
        for (stack, weight) in profile.stacks
        where profile.usualWeight(stack, samples: weight.samples) != weight.total {
            numbers.double(weight.total)
        }
    }
}

/// The columns of nodes, frames and functions.
private struct CodeColumns {
    private struct Function: Hashable {
        var name, symbol: NameTable.ID
        var module: UInt32?
        var file: NameTable.ID
    }

    private let frames: [NamedProfile.Frame]
    private var context: CodeContext
    /// By frame of the profile: its number, plus 1; 0 if it has none yet.
    private var numbers: [UInt32]
    private var functionNumbers: [Function: UInt32] = [:]
    private var highestName: Int64 = -1

    private var callees = CalleeColumns(), functions = CalleeColumns()
    private var symbols = NumberWriter(), names = NumberWriter(), modules = NumberWriter(), files = NumberWriter()
    private var marks = NumberWriter(), addresses = NumberWriter(), lines = NumberWriter()

    init(of profile: NamedProfile) {
        frames = profile.frames
        context = CodeContext(moduleCount: profile.modules.count)
        numbers = [UInt32](repeating: 0, count: frames.count)
    }

    var columns: [NumberWriter] {
        [
            callees.places, callees.others, functions.places, functions.others, symbols, names, modules, files, marks,
            addresses, lines,
        ]
    }

    /// Adds the next node: frames of the profile.
    mutating func add(_ frame: UInt32, calledFrom caller: UInt32?) {
        let caller = caller.map { Int(numbers[Int($0)]) } ?? 0
        if numbers[Int(frame)] == 0 {
            add(frames[Int(frame)], calledFrom: caller)
            numbers[Int(frame)] = callees.count + 1
        }
        callees.add(numbers[Int(frame)] - 1, calledFrom: caller)
    }

    private mutating func add(_ frame: NamedProfile.Frame, calledFrom caller: Int) {
        let key = Function(name: frame.function, symbol: frame.symbol, module: frame.module, file: frame.file)
        let module = frame.module.map { Int($0) + 1 } ?? 0
        if functionNumbers[key] == nil {
            functionNumbers[key] = functions.count
            let (name, symbol) = (Int64(key.name.number), Int64(key.symbol.number))
            symbols.signed(symbol - name)
            names.signed(name - highestName - 1)
            highestName = max(highestName, name, symbol)
            modules.number(module)
            files.number(key.file.number)
        }
        let function = functionNumbers[key] ?? 0
        functions.add(function, calledFrom: context.function(of: caller))
        let address = context.address(
            isInlined: frame.marks.contains(.inlined), caller: caller, function: function, module: module)
        marks.number(UInt32(frame.marks.rawValue))
        addresses.signed(Int64(bitPattern: frame.address &- address))
        lines.signed(Int64(frame.line) - Int64(context.line(of: function)))
        context.add(function: function, module: module, address: frame.address, line: frame.line)
    }
}

/// The columns of tasks: threads' names, with processes, their address spaces, and cgroups.
private struct TaskColumns {
    private struct Task: Hashable {
        var process: Int32
        var space: UInt32
        var thread, cgroup: NameTable.ID
    }

    /// Which stack had a task last.
    private var last: [Task: Int] = [:]
    private var count = 0
    private var lastProcess: Int32 = 0
    private var distances = NumberWriter()
    private var processes = NumberWriter(), threads = NumberWriter(), cgroups = NumberWriter()
    private var spaces: SpaceColumns

    init(of profile: NamedProfile) { spaces = SpaceColumns(of: profile) }

    var columns: [NumberWriter] { [distances, processes, threads, cgroups] + spaces.columns }

    /// Adds the next stack's.
    mutating func add(_ stack: NamedProfile.Stack) {
        let task = Task(process: stack.process, space: stack.space, thread: stack.thread, cgroup: stack.cgroup)
        let known = last.updateValue(count, forKey: task)
        distances.number(known.map { count - $0 } ?? 0)
        count += 1
        if known != nil { return }
        processes.signed(Int64(task.process) - Int64(lastProcess))
        lastProcess = task.process
        threads.number(task.thread.number)
        cgroups.number(task.cgroup.number)
        spaces.add(task.space)
    }
}
