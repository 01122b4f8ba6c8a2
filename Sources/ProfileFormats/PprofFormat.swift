import Files
import KernelUnwinder
import SwiftProtobuf
import Symbols

/// Profiles for pprof, and for what else reads its files: a protocol buffer, compressed by gzip. docs/formats.md says what
/// is where in it.
public struct PprofFormat: NamedProfileFormat {
    public let tellsProcessesApart = true

    /// The format has no options.
    public init() {}

    /// - Throws: `BinaryEncodingError` if the profile exceeds 2 GiB; if there is no memory.
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        var writer = PprofWriter(profile)
        let bytes: [UInt8] = try writer.take().serializedBytes()
        var gzip = try GzipSink()
        bytes.withUnsafeBytes { gzip.write($0, to: &output) }
        gzip.finish(to: &output)
    }
}

/// Makes pprof's messages of a profile.
struct PprofWriter {
    private let profile: NamedProfile
    private var made = PprofProfile()
    /// By name.
    private var strings: [NameTable.ID: Int64] = [:]
    private var wordNumbers: [String: Int64] = [:]
    private var functions: [Function: UInt64] = [:]
    /// By the frames that are at one place, the innermost first: all but the last are inlined.
    private var locations: [[UInt32]: UInt64] = [:]
    /// The location of a frame that nothing is inlined in, by the frame's number; 0 if it isn't known.
    private var plainLocations: [UInt64]

    private struct Function: Hashable {
        var name, symbol, file: NameTable.ID
    }

    init(_ profile: NamedProfile) {
        self.profile = profile
        plainLocations = Array(repeating: 0, count: profile.frames.count)
        made.stringTable = [""]
        wordNumbers[""] = 0
        addTypes()
        addMappings()
        made.sample.reserveCapacity(profile.stacks.count)
        for (stack, weight) in profile.stacks { add(stack, weight) }
    }

    /// The message.
    mutating func take() -> PprofProfile { made }

    // MARK: Strings

    private mutating func number(of word: String) -> Int64 {
        if let known = wordNumbers[word] { return known }
        let number = Int64(made.stringTable.count)
        made.stringTable.append(word)
        wordNumbers[word] = number
        return number
    }

    private mutating func number(of name: NameTable.ID) -> Int64 {
        if let known = strings[name] { return known }
        // Readers refuse strings that aren't UTF-8, and print to terminals.
        let number = number(of: PrintableText.of(profile.names[name]))
        strings[name] = number
        return number
    }

    // MARK: What is counted

    private mutating func valueType(_ type: String, _ unit: String) -> PprofValueType {
        var made = PprofValueType()
        (made.type, made.unit) = (number(of: type), number(of: unit))
        return made
    }

    private mutating func addTypes() {
        made.sampleType = [valueType("samples", "count")]
        made.durationNanos = Int64(clamping: Int64(profile.seconds * 1e9))
        switch profile.unit {
        case .nanoseconds:
            made.sampleType.append(valueType(profile.event.isEmpty ? "off-cpu" : "wall", "nanoseconds"))
        case .events:
            made.sampleType.append(valueType(profile.event, "count"))
        case .samples:
            made.sampleType.append(valueType("cpu", "nanoseconds"))
        }
        made.defaultSampleType = made.sampleType[1].type
        if let period = profile.period {
            (made.periodType, made.period) = (valueType(profile.event, "count"), Int64(period))
        } else if let frequency = profile.frequency {
            (made.periodType, made.period) = (valueType("cpu", "nanoseconds"), Int64(1e9 / Double(frequency)))
        }
    }

    private func value(of weight: NamedProfile.Weight) -> Int64 {
        guard profile.unit == .samples, let frequency = profile.frequency else { return Int64(weight.total.rounded()) }
        return Int64((weight.total * 1e9 / Double(frequency)).rounded())
    }

    // MARK: Code

    private mutating func addMappings() {
        // Addresses are those in the file, so each mapping begins at 0. It ends behind the last frame in it.
        var ends = Array(repeating: UInt64(0), count: profile.modules.count)
        var known = Array(repeating: (functions: false, files: false, inlined: false), count: profile.modules.count)
        for frame in profile.frames {
            guard let module = frame.module.map(Int.init) else { continue }
            ends[module] = max(ends[module], frame.address)
            known[module].functions = true
            if frame.file != profile.noName { known[module].files = true }
            if frame.marks.contains(.inlined) { known[module].inlined = true }
        }
        for (index, module) in profile.modules.enumerated() {
            var mapping = PprofMapping()
            mapping.id = UInt64(index + 1)
            mapping.memoryLimit = ends[index] | 0xfff == .max ? .max : (ends[index] | 0xfff) + 1
            (mapping.filename, mapping.buildID) = (number(of: module.path), number(of: module.buildID))
            mapping.hasFunctions_p = known[index].functions
            (mapping.hasFilenames_p, mapping.hasLineNumbers_p) = (known[index].files, known[index].files)
            mapping.hasInlineFrames_p = known[index].inlined
            made.mapping.append(mapping)
        }
    }

    private mutating func function(of frame: NamedProfile.Frame) -> UInt64 {
        let key = Function(name: frame.function, symbol: frame.symbol, file: frame.file)
        if let known = functions[key] { return known }
        var function = PprofFunction()
        function.id = UInt64(made.function.count + 1)
        (function.name, function.systemName) = (number(of: key.name), number(of: key.symbol))
        function.filename = number(of: key.file)
        made.function.append(function)
        functions[key] = function.id
        return function.id
    }

    /// - Parameter frames: as the keys of `locations`.
    private mutating func makeLocation(_ frames: [UInt32]) -> UInt64 {
        let outer = profile.frames[Int(frames[frames.count - 1])]
        var location = PprofLocation()
        location.id = UInt64(made.location.count + 1)
        location.mappingID = outer.module.map { UInt64($0) + 1 } ?? 0
        // The call, rather than where it returns to.
        location.address = outer.marks.contains(.exact) || outer.address == 0 ? outer.address : outer.address - 1
        location.line = frames.map { number in
            let frame = profile.frames[Int(number)]
            var line = PprofLine()
            (line.functionID, line.line) = (function(of: frame), Int64(frame.line))
            return line
        }
        made.location.append(location)
        return location.id
    }

    private mutating func location(_ frames: [UInt32]) -> UInt64 {
        if frames.count == 1 {
            let index = Int(frames[0])
            if plainLocations[index] == 0 { plainLocations[index] = makeLocation(frames) }
            return plainLocations[index]
        }
        if let known = locations[frames] { return known }
        let made = makeLocation(frames)
        locations[frames] = made
        return made
    }

    // MARK: Samples

    private mutating func add(_ stack: NamedProfile.Stack, _ weight: NamedProfile.Weight) {
        var sample = PprofSample()
        var pending: [UInt32] = []
        var node = stack.node
        while node != 0 {
            let (frame, parent) = (profile.nodes[Int(node)].frame, profile.nodes[Int(node)].parent)
            pending.append(frame)
            // An inlined frame is at the place of the one that it is inlined in.
            if !profile.frames[Int(frame)].marks.contains(.inlined) || parent == 0 {
                sample.locationID.append(location(pending))
                pending.removeAll(keepingCapacity: true)
            }
            node = parent
        }
        sample.value = [Int64(weight.samples), value(of: weight)]
        sample.label.append(label("thread", text: stack.thread))
        if stack.process != 0 { sample.label.append(label("pid", number: Int64(stack.process))) }
        if stack.cgroup != profile.noName { sample.label.append(label("cgroup", text: stack.cgroup)) }
        if profile.includesWaits, !profile.event.isEmpty {
            sample.label.append(label("state", word: stack.isWaiting ? "off-cpu" : "on-cpu"))
        }
        if stack.outcome != .complete {
            sample.label.append(label("stack", word: stack.outcome.rawValue))
            sample.label.append(label("stack-end", text: stack.end))
        }
        made.sample.append(sample)
    }

    private mutating func label(_ key: String, text: NameTable.ID) -> PprofLabel {
        var label = PprofLabel()
        (label.key, label.str) = (number(of: key), number(of: text))
        return label
    }

    private mutating func label(_ key: String, word: String) -> PprofLabel {
        var label = PprofLabel()
        (label.key, label.str) = (number(of: key), number(of: word))
        return label
    }

    private mutating func label(_ key: String, number: Int64) -> PprofLabel {
        var label = PprofLabel()
        (label.key, label.num) = (self.number(of: key), number)
        return label
    }
}
