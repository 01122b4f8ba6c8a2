import KernelUnwinder
import Symbols

/// Reads profiles of pprof, whoever wrote them: docs/profiles.md, "Reading".
struct PprofReader {
    private let bytes: [UInt8]
    private var profile = NamedProfile(unit: .samples, event: "", seconds: 0)
    private var strings: [Range<Int>] = []
    private var names: [Int: NameTable.ID] = [:]
    private var types: [(type: String, unit: String)] = []
    private var functions: [UInt64: Function] = [:]
    private var mappings: [UInt64: Mapping] = [:]
    private var locations: [UInt64: Location] = [:]
    private var frames: [FrameKey: [UInt32]] = [:]
    private var limits = ProfileLimits()
    /// A sample of a few bytes may have thousands of frames that no other has: a file of a megabyte could need gigabytes. Each
    /// node of an honest file takes some bits of it.
    private let nodeLimit: Int
    /// Which of a sample's values are counted.
    private var samplesIndex: Int?, valueIndex = 0
    /// What a value is multiplied by.
    private var scale = 1.0

    private struct Function { var name = 0, symbol = 0, file = 0 }

    private struct Mapping {
        var start: UInt64 = 0, offset: UInt64 = 0
        var module: UInt32 = 0
        var isKernel = false
    }

    private struct Location {
        var mapping: UInt64 = 0, address: UInt64 = 0
        /// Innermost first.
        var lines: [(function: UInt64, line: UInt64)] = []
    }

    private struct FrameKey: Hashable {
        var location: UInt64
        var isInnermost: Bool
    }

    /// - Parameters:
    ///   - bytes: not compressed.
    ///   - fileSize: of the file that they come from, in bytes.
    static func read(_ bytes: [UInt8], fileSize: Int) throws(ProfileProblem) -> NamedProfile {
        var reader = PprofReader(bytes: bytes, nodeLimit: 1 << 20 + 16 * fileSize)
        try reader.read()
        return reader.profile
    }

    private init(bytes: [UInt8], nodeLimit: Int) { (self.bytes, self.nodeLimit) = (bytes, nodeLimit) }

    /// The ranges of the top level's messages, because those that others refer to may come after them.
    private struct Fields {
        var types: [Range<Int>] = [], samples: [Range<Int>] = [], mappings: [Range<Int>] = []
        var locations: [Range<Int>] = [], functions: [Range<Int>] = []
        var duration: UInt64 = 0, period: UInt64 = 0, periodType = 0..<0, usualType: UInt64 = 0
    }

    private mutating func read() throws(ProfileProblem) {
        var fields = Fields()
        var reader = ProtobufReader(bytes, 0..<bytes.count)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: fields.types.append(value.range)
            case 2: fields.samples.append(value.range)
            case 3: fields.mappings.append(value.range)
            case 4: fields.locations.append(value.range)
            case 5: fields.functions.append(value.range)
            case 6: strings.append(value.range)
            case 10: fields.duration = value.number
            case 11: fields.periodType = value.range
            case 12: fields.period = value.number
            case 14: fields.usualType = value.number
            default: break
            }
        }
        guard !fields.types.isEmpty, !strings.isEmpty else { throw ProfileProblem("not a profile of pprof") }
        for range in fields.types { types.append(try valueType(range)) }
        try choose(fields)
        for range in fields.functions { try addFunction(range) }
        for range in fields.mappings { try addMapping(range) }
        for range in fields.locations { try addLocation(range) }
        for range in fields.samples { try addSample(range) }
    }

    // MARK: Strings

    private func string(_ number: UInt64) -> String {
        guard number < strings.count else { return "" }
        return String(decoding: bytes[strings[Int(number)]], as: UTF8.self)
    }

    private mutating func name(_ number: Int) -> NameTable.ID {
        if let known = names[number] { return known }
        let name = profile.name(string(UInt64(number)))
        names[number] = name
        return name
    }

    /// The number of a string; 0, the empty one, if it is out of bounds.
    private func index(_ value: ProtobufReader.Value) -> Int {
        let number = value.number
        return number < strings.count ? Int(number) : 0
    }

    // MARK: What is counted

    private func valueType(_ range: Range<Int>) throws(ProfileProblem) -> (type: String, unit: String) {
        var (type, unit) = ("", "")
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            if field == 1 { type = string(value.number) }
            if field == 2 { unit = string(value.number) }
        }
        return (type, unit)
    }

    private static let nanoseconds = [
        "nanoseconds": 1.0, "microseconds": 1e3, "milliseconds": 1e6, "seconds": 1e9,
    ]

    /// Chooses the values that count: those that the file says, otherwise the last ones.
    private mutating func choose(_ fields: Fields) throws(ProfileProblem) {
        let usual = string(fields.usualType)
        samplesIndex = types.firstIndex { $0 == ("samples", "count") }
        valueIndex = types.firstIndex { $0.type == usual } ?? types.count - 1
        let (type, unit) = types[valueIndex]
        let (periodType, periodUnit) = try valueType(fields.periodType)
        let seconds = Double(Int64(clamping: fields.duration)) / 1e9
        guard let factor = Self.nanoseconds[unit] else {
            let isSamples = type == "samples" && unit == "count"
            profile = NamedProfile(
                unit: isSamples ? .samples : .events, event: isSamples || unit == "count" ? type : "\(type)/\(unit)",
                seconds: seconds)
            if periodType == type, fields.period > 0 { profile.period = Int(clamping: fields.period) }
            return
        }
        let period = (Self.nanoseconds[periodUnit] ?? 0) * Double(Int64(clamping: fields.period))
        // Samples of running threads, of which each stands for the time between two.
        let isRegular = type == "cpu" && period > 0
        profile = NamedProfile(
            unit: isRegular ? .samples : .nanoseconds, event: type == "off-cpu" ? "" : type, seconds: seconds)
        profile.frequency = period > 0 ? Int(exactly: (1e9 / period).rounded()) : nil
        profile.includesWaits = type == "off-cpu" || type == "wall"
        scale = isRegular ? factor / period : factor
    }

    // MARK: Code

    private mutating func addFunction(_ range: Range<Int>) throws(ProfileProblem) {
        var function = Function(), id: UInt64 = 0
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: id = value.number
            case 2: function.name = index(value)
            case 3: function.symbol = index(value)
            case 4: function.file = index(value)
            default: break
            }
        }
        functions[id] = function
    }

    private mutating func addMapping(_ range: Range<Int>) throws(ProfileProblem) {
        var mapping = Mapping(), id: UInt64 = 0, path = 0, buildID = 0
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: id = value.number
            case 2: mapping.start = value.number
            case 4: mapping.offset = value.number
            case 5: path = index(value)
            case 6: buildID = index(value)
            default: break
            }
        }
        mapping.module = profile.number(of: .init(path: name(path), buildID: name(buildID)))
        mapping.isKernel = string(UInt64(path)).hasPrefix("[kernel")
        mappings[id] = mapping
    }

    private mutating func addLocation(_ range: Range<Int>) throws(ProfileProblem) {
        var location = Location(), id: UInt64 = 0
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: id = value.number
            case 2: location.mapping = value.number
            case 3: location.address = value.number
            case 4: location.lines.append(try line(value.range))
            default: break
            }
        }
        guard location.lines.count <= ProfileLimits.depth else {
            throw ProfileProblem("a location with too many lines", at: range.lowerBound)
        }
        locations[id] = location
    }

    private func line(_ range: Range<Int>) throws(ProfileProblem) -> (function: UInt64, line: UInt64) {
        var found: (function: UInt64, line: UInt64) = (0, 0)
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            if field == 1 { found.function = value.number }
            if field == 2 { found.line = value.number }
        }
        return found
    }

    /// The frames at a location, outermost first.
    private mutating func frames(_ key: FrameKey, at offset: Int) throws(ProfileProblem) -> [UInt32] {
        if let known = frames[key] { return known }
        guard let location = locations[key.location] else {
            throw ProfileProblem("a sample at location \(key.location), which isn't there", at: offset)
        }
        let mapping = mappings[location.mapping]
        var marks: NamedProfile.Marks = key.isInnermost ? .exact : []
        if mapping?.isKernel ?? false { marks.insert(.kernel) }
        var address = location.address
        if let mapping, address >= mapping.start { address = address &- mapping.start &+ mapping.offset }
        // Callers have the address of the call's last byte.
        if !key.isInnermost, address > 0 { address &+= 1 }
        var found: [UInt32] = []
        for (index, line) in location.lines.reversed().enumerated() {
            let function = functions[line.function] ?? Function()
            var frame = NamedProfile.Frame(
                function: function.name == 0 ? unnamed(mapping) : name(function.name),
                symbol: name(function.symbol == 0 ? function.name : function.symbol), module: mapping?.module,
                address: address, file: name(function.file), line: UInt32(clamping: line.line), marks: marks)
            if function.name == 0, function.symbol == 0 { frame.symbol = frame.function }
            if index > 0 { frame.marks.insert(.inlined) }
            found.append(profile.number(of: frame))
        }
        if found.isEmpty {
            let unnamed = unnamed(mapping)
            found = [
                profile.number(
                    of: .init(
                        function: unnamed, symbol: unnamed, module: mapping?.module, address: address,
                        file: profile.noName, marks: marks))
            ]
        }
        frames[key] = found
        return found
    }

    /// What code without a name is called, as cfic does: docs/names.md.
    private mutating func unnamed(_ mapping: Mapping?) -> NameTable.ID {
        guard let mapping else { return profile.name("[unknown]") }
        let path = profile.names[profile.modules[Int(mapping.module)].path]
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return profile.name(file.hasPrefix("[") ? file : "[\(file)]")
    }

    // MARK: Samples

    private mutating func addSample(_ range: Range<Int>) throws(ProfileProblem) {
        var ids: [UInt64] = [], values: [Int64] = []
        var stack = NamedProfile.Stack(
            node: 0, process: 0, thread: profile.name("[unknown]"), cgroup: profile.noName,
            isWaiting: profile.event.isEmpty && profile.includesWaits, end: profile.noName, outcome: .complete)
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: try ProtobufReader.numbers(value, in: bytes) { ids.append($0) }
            case 2: try ProtobufReader.numbers(value, in: bytes) { values.append(Int64(bitPattern: $0)) }
            case 3: try take(label: value.range, &stack)
            default: break
            }
        }
        guard values.count == types.count else {
            throw ProfileProblem(
                "a sample with \(values.count) values, and there are \(types.count) types of them",
                at: range.lowerBound)
        }
        guard values.allSatisfy({ $0 >= 0 }) else {
            throw ProfileProblem("a negative value: a difference of profiles can't be read", at: range.lowerBound)
        }
        var depth = 0
        for (index, id) in ids.enumerated().reversed() {
            for frame in try frames(FrameKey(location: id, isInnermost: index == 0), at: range.lowerBound) {
                stack.node = profile.node(of: frame, calledFrom: stack.node)
                depth += 1
            }
            if depth > ProfileLimits.depth { break }
        }
        guard profile.nodes.count <= nodeLimit else {
            throw ProfileProblem("more than \(nodeLimit) different frames and callers", at: range.lowerBound)
        }
        let samples = samplesIndex.map { Int(values[$0]) } ?? (values[valueIndex] > 0 ? 1 : 0)
        var total = Double(values[valueIndex]) * scale
        // The time between two samples is rounded to nanoseconds.
        if profile.unit == .samples, abs(total - total.rounded()) < 0.01 { total = total.rounded() }
        if let problem = limits.add(depth: depth, samples: samples, weight: total) {
            throw ProfileProblem(problem, at: range.lowerBound)
        }
        if samples > 0 || total > 0 { profile.add(stack, .init(samples: samples, total: total)) }
    }

    private mutating func take(label range: Range<Int>, _ stack: inout NamedProfile.Stack) throws(ProfileProblem) {
        var (key, text, number) = ("", 0, Int64(0))
        var reader = ProtobufReader(bytes, range)
        while let (field, value) = try reader.next() {
            switch field {
            case 1: key = string(value.number)
            case 2: text = index(value)
            case 3: number = Int64(bitPattern: value.number)
            default: break
            }
        }
        switch key {
        case "thread", "comm", "thread_name": if text != 0 { stack.thread = name(text) }
        case "pid", "process_id": stack.process = Int32(exactly: number) ?? 0
        case "cgroup": stack.cgroup = name(text)
        case "state": stack.isWaiting = string(UInt64(text)) == "off-cpu"
        case "stack": stack.outcome = StackOutcome(rawValue: string(UInt64(text))) ?? .complete
        case "stack-end": stack.end = name(text)
        default: break
        }
    }
}
