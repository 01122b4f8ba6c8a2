import Files
import KernelUnwinder
import Symbols

/// A profile in the JSON that the page of a flame graph reads: `Profile` in data.js of the page has the same fields.
struct FlameData {
    private let profile: NamedProfile
    /// The weights in an earlier profile, by stack, if two are compared.
    private let old: [Double]
    /// The numbers of names in the JSON. The empty name is 0.
    private var nameNumbers: [NameTable.ID: Int]
    private var usedNames: [NameTable.ID]

    init(_ profile: NamedProfile, old: [Double] = []) {
        (self.profile, self.old) = (profile, old)
        nameNumbers = [profile.noName: 0]
        usedNames = [profile.noName]
    }

    private mutating func number(of name: NameTable.ID) -> Int {
        if let known = nameNumbers[name] { return known }
        nameNumbers[name] = usedNames.count
        usedNames.append(name)
        return usedNames.count - 1
    }

    mutating func write(_ tree: FlameTree, to output: inout some ByteSink) {
        var json = JSONPieces()
        json.text("{")
        writeFacts(to: &json)
        writeFunctions(tree, to: &json)
        let numbers = writeNodes(tree, to: &json, &output)
        writeStacks(tree, numbers, to: &json, &output)
        writeModules(to: &json)
        writeNames(to: &json, &output)
        json.text("}")
        json.flush(to: &output)
    }

    private func writeFacts(to json: inout JSONPieces) {
        json.field("unit", first: true)
        json.string(profile.unit.rawValue)
        json.field("event")
        json.string(profile.event)
        json.field("period")
        json.number(profile.period ?? 0)
        json.field("frequency")
        json.number(profile.frequency ?? 0)
        json.field("includesWaits")
        json.text(profile.includesWaits ? "true" : "false")
        json.field("milliseconds")
        json.number(FlameTree.whole(profile.seconds * 1000))
        json.field("lostSamples")
        json.number(Int(clamping: profile.lostSamples))
    }

    /// Per function: name, module (0: none, else its number and 1), marks, source file, first and last line.
    private mutating func writeFunctions(_ tree: FlameTree, to json: inout JSONPieces) {
        json.field("functions")
        json.list { json in
            for (function, lines) in zip(tree.functions, tree.lines) {
                json.element(number(of: function.name))
                json.element(function.module.map { Int($0) + 1 } ?? 0)
                json.element(Int(function.marks.rawValue))
                json.element(number(of: lines.file))
                json.element(Int(lines.first))
                json.element(Int(lines.last))
            }
        }
    }

    /// Per node but the root, parents first: function, and how many levels its parent is above the node before.
    ///
    /// - Returns: the nodes' numbers in the JSON.
    private func writeNodes(
        _ tree: FlameTree, to json: inout JSONPieces, _ output: inout some ByteSink
    ) -> [UInt32] {
        var numbers = [UInt32](repeating: 0, count: tree.nodes.count)
        var next: UInt32 = 1
        json.field("nodes")
        json.open()
        tree.visit { node, levelsUp in
            numbers[node] = next
            next += 1
            json.element(Int(tree.nodes[node].function))
            json.element(levelsUp)
            json.flushIfLong(to: &output)
        }
        json.close()
        return numbers
    }

    /// What stacks have besides their frames.
    private struct Context: Hashable {
        var process: Int32
        var thread, cgroup, end: NameTable.ID
        var isWaiting: Bool
    }

    /// Per context: process, thread, cgroup, end, 1 if it waited. Per stack: node, context, samples, weight.
    private mutating func writeStacks(
        _ tree: FlameTree, _ numbers: [UInt32], to json: inout JSONPieces, _ output: inout some ByteSink
    ) {
        var contexts: [Context] = []
        var contextNumbers: [Context: Int] = [:]
        json.field("stacks")
        json.open()
        for entry in tree.stacks {
            let (stack, weight) = profile.stacks[entry.number]
            let context = Context(
                process: stack.process, thread: stack.thread, cgroup: stack.cgroup, end: stack.end,
                isWaiting: stack.isWaiting)
            let number = contextNumbers[context] ?? contexts.count
            if number == contexts.count {
                contextNumbers[context] = number
                contexts.append(context)
            }
            json.element(Int(numbers[Int(entry.node)]))
            json.element(number)
            json.element(weight.samples)
            json.element(FlameTree.whole(weight.total))
            json.flushIfLong(to: &output)
        }
        json.close()
        json.field("old")
        json.open()
        if !old.isEmpty {
            for entry in tree.stacks {
                json.element(FlameTree.whole(old[entry.number]))
                json.flushIfLong(to: &output)
            }
        }
        json.close()
        json.field("contexts")
        json.list { json in
            for context in contexts {
                json.element(Int(context.process))
                json.element(number(of: context.thread))
                json.element(number(of: context.cgroup))
                json.element(number(of: context.end))
                json.element(context.isWaiting ? 1 : 0)
            }
        }
    }

    /// Per module: path, build id.
    private mutating func writeModules(to json: inout JSONPieces) {
        json.field("modules")
        json.list { json in
            for module in profile.modules {
                json.element(number(of: module.path))
                json.element(number(of: module.buildID))
            }
        }
    }

    private func writeNames(to json: inout JSONPieces, _ output: inout some ByteSink) {
        json.field("names")
        json.open()
        for name in usedNames {
            json.comma()
            json.string(profile.names[name])
            json.flushIfLong(to: &output)
        }
        json.close()
    }
}

/// JSON for a script element: numbers and strings by the million.
private struct JSONPieces {
    private var bytes: [UInt8] = []
    private var isFirst = true

    mutating func text(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func field(_ name: StaticString, first: Bool = false) {
        text(first ? "\"" : ",\n\"")
        text(name)
        text("\":")
    }

    mutating func open() {
        text("[")
        isFirst = true
    }

    mutating func close() { text("]") }

    mutating func list(_ write: (inout Self) -> Void) {
        open()
        write(&self)
        close()
    }

    mutating func comma() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
    }

    mutating func element(_ value: Int) {
        comma()
        number(value)
    }

    mutating func number(_ value: Int) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var rest = value.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Made printable. HTML ends a script element at `</script` and changes how it reads it at `<!--`, so `<` is escaped.
    mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in PrintableText.of(value).utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "<"): text("\\u003c")
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func flushIfLong(to output: inout some ByteSink) {
        if bytes.count >= 1 << 16 { flush(to: &output) }
    }

    mutating func flush(to output: inout some ByteSink) {
        bytes.withUnsafeBytes { output.write($0) }
        bytes.removeAll(keepingCapacity: true)
    }
}
