import Files
import KernelUnwinder
import Symbols

/// The tables that threads share: strings, files, functions, frames and stacks.
struct FirefoxTables {
    private struct Function: Hashable {
        var name: NameTable.ID
        var module: UInt32?
        var file: NameTable.ID
    }

    private let profile: NamedProfile
    private var strings: [String] = []
    private var stringNumbers: [String: Int] = [:]
    private var functions: [Function] = []
    private var functionOfFrame: [Int] = []
    /// Each inlined frame is a level deeper than what it is inlined into.
    private var depthOfFrame: [Int]
    private var sources: [NameTable.ID] = []
    private var sourceNumbers: [NameTable.ID: Int] = [:]
    /// The nodes that stacks use, and those of truncated stacks again, below one that stands for what they lack.
    private var stacks: [(prefix: Int?, frame: Int)] = []
    /// By node of the profile.
    private var whole: [Int?]
    private var truncated: [Int?]
    private let noName: NameTable.ID

    init(_ profile: NamedProfile) {
        self.profile = profile
        noName = profile.noName
        depthOfFrame = Array(repeating: 0, count: profile.frames.count)
        whole = Array(repeating: nil, count: profile.nodes.count)
        truncated = whole
        addFunctions()
        addStacks()
    }

    private mutating func addFunctions() {
        var numbers: [Function: Int] = [:]
        functionOfFrame = profile.frames.map { frame in
            let function = Function(name: frame.function, module: frame.module, file: frame.file)
            if let known = numbers[function] { return known }
            numbers[function] = functions.count
            functions.append(function)
            if frame.file != noName, sourceNumbers[frame.file] == nil {
                sourceNumbers[frame.file] = sources.count
                sources.append(frame.file)
            }
            return functions.count - 1
        }
        for node in profile.nodes.dropFirst() where profile.frames[Int(node.frame)].marks.contains(.inlined) {
            depthOfFrame[Int(node.frame)] =
                node.parent == 0 ? 1 : depthOfFrame[Int(profile.nodes[Int(node.parent)].frame)] + 1
        }
    }

    private mutating func addStacks() {
        var isUsed = [[Bool]](repeating: Array(repeating: false, count: profile.nodes.count), count: 2)
        for (stack, weight) in profile.stacks where weight.samples > 0 {
            isUsed[stack.outcome == .truncated ? 1 : 0][Int(stack.node)] = true
        }
        for index in profile.nodes.indices.dropFirst().reversed() {
            for kind in 0...1 where isUsed[kind][index] { isUsed[kind][Int(profile.nodes[index].parent)] = true }
        }
        if isUsed[1][0] {
            truncated[0] = 0
            stacks.append((nil, profile.frames.count))
        }
        for (index, node) in profile.nodes.enumerated().dropFirst() {
            if isUsed[0][index] { whole[index] = add(whole[Int(node.parent)], node) }
            if isUsed[1][index] { truncated[index] = add(truncated[Int(node.parent)], node) }
        }
    }

    private mutating func add(_ prefix: Int?, _ node: NamedProfile.Node) -> Int {
        stacks.append((prefix, Int(node.frame)))
        return stacks.count - 1
    }

    /// The number of a stack; nil if it has no frames.
    func number(of stack: NamedProfile.Stack) -> Int? {
        (stack.outcome == .truncated ? truncated : whole)[Int(stack.node)]
    }

    private mutating func number(of string: String) -> Int {
        if let known = stringNumbers[string] { return known }
        stringNumbers[string] = strings.count
        strings.append(string)
        return strings.count - 1
    }

    private mutating func number(of name: NameTable.ID) -> Int { number(of: PrintableText.of(profile.names[name])) }

    // MARK: Writing

    /// The last part of a path.
    private static func file(_ path: String) -> String { String(path.split(separator: "/").last ?? path[...]) }

    /// All modules, whose numbers are those of libraries and resources.
    func appendLibraries(to text: inout PieceWriter) {
        text.append("[")
        for (index, module) in profile.modules.enumerated() {
            if index > 0 { text.append(",") }
            let path = PrintableText.of(profile.names[module.path]), buildID = profile.names[module.buildID]
            for (key, value) in [
                ("{\"name\":", Self.file(path)), (",\"path\":", path), (",\"debugName\":", Self.file(path)),
                (",\"debugPath\":", path), (",\"breakpadId\":", Self.breakpadID(buildID)),
            ] {
                text.append(key)
                text.append(quoted: value)
            }
            text.append(",\"codeId\":")
            if buildID.isEmpty { text.append("null") } else { text.append(quoted: buildID) }
            text.append(",\"arch\":null}")
        }
        text.append("]")
    }

    /// A build id as Breakpad's debug identifier: its first 16 bytes as a GUID, whose first three fields are
    /// little-endian, and an age of 0.
    static func breakpadID(_ buildID: String) -> String {
        let digits = Array((buildID.uppercased() + String(repeating: "0", count: 32)).prefix(32))
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
        return String(order.flatMap { digits[$0 * 2...$0 * 2 + 1] }) + "0"
    }

    /// - Parameter flush: called often.
    mutating func append(to text: inout PieceWriter, flush: (inout PieceWriter) -> Void) {
        text.append("{\"stackTable\":{\"length\":\(stacks.count),\"prefix\":")
        Self.append(stacks.count, to: &text, flush) { stacks[$0].prefix }
        text.append(",\"frame\":")
        Self.append(stacks.count, to: &text, flush) { stacks[$0].frame }
        text.append("},\"frameTable\":")
        appendFrames(to: &text, flush)
        text.append(",\"funcTable\":")
        appendFunctions(to: &text, flush)
        let modules = profile.modules.map { number(of: Self.file(profile.names[$0.path])) }
        text.append(",\"resourceTable\":{\"length\":\(modules.count),\"lib\":")
        Self.append(modules.count, to: &text, flush) { $0 }
        text.append(",\"name\":")
        Self.append(modules.count, to: &text, flush) { modules[$0] }
        text.append(",\"host\":")
        Self.append(modules.count, to: &text, flush) { _ in nil }
        // A library.
        text.append(",\"type\":")
        Self.append(modules.count, to: &text, flush) { _ in 1 }
        text.append("},\"nativeSymbols\":{\"length\":0,\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[]}")
        appendSources(to: &text, flush)
        text.append(",\"stringArray\":[")
        for (index, string) in strings.enumerated() {
            if index > 0 { text.append(",") }
            text.append(quoted: string)
            flush(&text)
        }
        text.append("]}")
    }

    private func appendFrames(to text: inout PieceWriter, _ flush: (inout PieceWriter) -> Void) {
        let frames = profile.frames
        // The last one stands for what truncated stacks lack.
        let count = frames.count + 1
        func column(_ name: String, _ value: (Int) -> Int?, last: Int?) {
            text.append(",\"\(name)\":")
            Self.append(count, to: &text, flush) { $0 < frames.count ? value($0) : last }
        }
        text.append("{\"length\":\(count)")
        column("address", { Self.address(of: frames[$0]) }, last: -1)
        column("inlineDepth", { depthOfFrame[$0] }, last: 0)
        column("category", { FirefoxCategory(frames[$0].marks).rawValue }, last: FirefoxCategory.other.rawValue)
        column("subcategory", { _ in 0 }, last: 0)
        column("func", { functionOfFrame[$0] }, last: functions.count)
        column("nativeSymbol", { _ in nil }, last: nil)
        column("innerWindowID", { _ in 0 }, last: 0)
        column("line", { frames[$0].line == 0 ? nil : Int(frames[$0].line) }, last: nil)
        column("column", { _ in nil }, last: nil)
        text.append("}")
    }

    /// Of the instruction, or inside the call; -1 if it isn't known, or if a number of JSON can't hold it exactly.
    private static func address(of frame: NamedProfile.Frame) -> Int {
        guard frame.module != nil, frame.address > 0, frame.address < 1 << 53 else { return -1 }
        return Int(frame.address) - (frame.marks.contains(.exact) ? 0 : 1)
    }

    private mutating func appendFunctions(to text: inout PieceWriter, _ flush: (inout PieceWriter) -> Void) {
        let names = functions.map { number(of: $0.name) } + [number(of: "[truncated]")]
        func column(_ name: String, _ value: (Function) -> Int?, last: Int?) {
            text.append(",\"\(name)\":")
            Self.append(names.count, to: &text, flush) { $0 < functions.count ? value(functions[$0]) : last }
        }
        text.append("{\"length\":\(names.count),\"name\":")
        Self.append(names.count, to: &text, flush) { names[$0] }
        for name in ["isJS", "relevantForJS"] {
            text.append(",\"\(name)\":[")
            for index in names.indices { text.append(index == 0 ? "false" : ",false") }
            text.append("]")
        }
        column("resource", { $0.module.map(Int.init) ?? -1 }, last: -1)
        column("source", { sourceNumbers[$0.file] }, last: nil)
        column("lineNumber", { _ in nil }, last: nil)
        column("columnNumber", { _ in nil }, last: nil)
        text.append("}")
    }

    private mutating func appendSources(to text: inout PieceWriter, _ flush: (inout PieceWriter) -> Void) {
        let files = sources.map { number(of: $0) }
        text.append(",\"sources\":{\"length\":\(files.count),\"filename\":")
        Self.append(files.count, to: &text, flush) { files[$0] }
        for (name, value) in [("id", nil), ("startLine", 1), ("startColumn", 1), ("sourceMapURL", nil)]
            as [(String, Int?)]
        {
            text.append(",\"\(name)\":")
            Self.append(files.count, to: &text, flush) { _ in value }
        }
        text.append("}")
    }

    /// A list of numbers.
    static func append(
        _ count: Int, to text: inout PieceWriter, _ flush: (inout PieceWriter) -> Void, _ value: (Int) -> Int?
    ) {
        text.append("[")
        for index in 0..<count {
            if index > 0 { text.append(",") }
            if let number = value(index) { text.append(decimal: number) } else { text.append("null") }
            flush(&text)
        }
        text.append("]")
    }
}
