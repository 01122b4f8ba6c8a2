import Files
import KernelUnwinder
import Symbols

/// Profiles for pprof, and for what else reads its files: a protocol buffer, compressed by gzip. docs/profiles.md says what
/// is where in it.
public struct PprofFormat: NamedProfileFormat {
    public let tellsProcessesApart = true

    private let began: UInt64?

    /// - Parameter began: when the profile began, in nanoseconds since 1970; nil to leave it out.
    public init(began: UInt64? = nil) { self.began = began }

    /// - Throws: if there is no memory to compress it.
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        let gzip = try GzipSink()
        var writer = PprofWriter(profile)
        writer.addTypes()
        writer.addTime(began)
        writer.addMappings()
        for (stack, weight) in profile.stacks {
            writer.add(stack, weight)
            if writer.message.bytes.count >= 1 << 16 { writer.flush(gzip, to: &output) }
        }
        writer.addStrings()
        writer.flush(gzip, to: &output)
        gzip.finish(to: &output)
    }
}

/// Makes pprof's message of a profile, in pieces: a message's repeated fields may come in any order. The numbers of fields are
/// those of https://github.com/google/pprof/blob/main/proto/profile.proto.
private struct PprofWriter {
    private let profile: NamedProfile
    private let types: ProfileTypes
    private let mappings: PprofMappings
    /// What was added since the last flush.
    private(set) var message = ProtobufWriter()
    /// By number; the first is empty.
    private var strings = [""]
    private var stringNumbers = ["": Int64(0)]
    /// By name.
    private var nameNumbers: [NameTable.ID: Int64] = [:]
    private var functions: [Function: UInt64] = [:]
    private var locationCount: UInt64 = 0
    /// By the frames that are at one place, the innermost first: all but the last are inlined.
    private var locations: [[UInt32]: UInt64] = [:]
    /// The location of a frame that nothing is inlined in, by the frame's number; 0 if it isn't known.
    private var plainLocations: [UInt64]

    private struct Function: Hashable {
        var name, symbol, file: NameTable.ID
    }

    init(_ profile: NamedProfile) {
        (self.profile, types, mappings) = (profile, ProfileTypes(profile), PprofMappings(of: profile))
        plainLocations = Array(repeating: 0, count: profile.frames.count)
    }

    mutating func flush(_ gzip: borrowing GzipSink, to output: inout some ByteSink) {
        message.bytes.withUnsafeBytes { gzip.write($0, to: &output) }
        message.removeAll()
    }

    // MARK: Strings

    private mutating func number(of word: String) -> Int64 {
        if let known = stringNumbers[word] { return known }
        let number = Int64(strings.count)
        strings.append(word)
        stringNumbers[word] = number
        return number
    }

    private mutating func number(of name: NameTable.ID) -> Int64 {
        if let known = nameNumbers[name] { return known }
        // Readers refuse strings that aren't UTF-8, and print to terminals.
        let number = number(of: PrintableText.of(profile.names[name]))
        nameNumbers[name] = number
        return number
    }

    /// Call it last.
    mutating func addStrings() { for string in strings { message.add(6, element: string) } }

    // MARK: What is counted

    /// A `ValueType`.
    private mutating func message(_ type: ProfileTypes.ValueType) -> ProtobufWriter {
        var made = ProtobufWriter()
        made.add(1, number(of: type.type))
        made.add(2, number(of: type.unit))
        return made
    }

    mutating func addTypes() {
        message.add(1, message(ProfileTypes.ValueType(type: "samples", unit: "count")))
        message.add(1, message(types.counted))
        message.add(14, number(of: types.counted.type))
        message.add(10, ProfileTypes.whole(profile.seconds * 1e9))
        if let (type, period) = types.period {
            message.add(11, message(type))
            message.add(12, period)
        }
    }

    mutating func addTime(_ began: UInt64?) { message.add(9, began ?? 0) }

    // MARK: Code

    mutating func addMappings() {
        for (index, mapping) in mappings.all.enumerated() {
            let module = profile.modules[Int(mapping.module)]
            var message = ProtobufWriter()
            message.add(1, UInt64(index + 1))
            message.add(2, mapping.start)
            message.add(3, mapping.limit)
            message.add(4, mapping.offset)
            message.add(5, number(of: module.path))
            message.add(6, number(of: module.buildID))
            message.add(7, true)
            message.add(8, mapping.hasFiles)
            message.add(9, mapping.hasFiles)
            message.add(10, mapping.hasInlined)
            self.message.add(3, message)
        }
    }

    private mutating func function(of frame: NamedProfile.Frame) -> UInt64 {
        let key = Function(name: frame.function, symbol: frame.symbol, file: frame.file)
        if let known = functions[key] { return known }
        let id = UInt64(functions.count + 1)
        var function = ProtobufWriter()
        function.add(1, id)
        function.add(2, number(of: key.name))
        function.add(3, number(of: key.symbol))
        function.add(4, number(of: key.file))
        message.add(5, function)
        functions[key] = id
        return id
    }

    /// - Parameter frames: as the keys of `locations`.
    private mutating func makeLocation(_ frames: [UInt32]) -> UInt64 {
        let outer = Int(frames[frames.count - 1])
        locationCount += 1
        var location = ProtobufWriter()
        location.add(1, locationCount)
        location.add(2, UInt64(mappings.numbers[outer]))
        location.add(3, mappings.addresses[outer])
        for number in frames {
            let frame = profile.frames[Int(number)]
            var line = ProtobufWriter()
            line.add(1, function(of: frame))
            line.add(2, UInt64(frame.line))
            location.add(4, line)
        }
        message.add(4, location)
        return locationCount
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

    mutating func add(_ stack: NamedProfile.Stack, _ weight: NamedProfile.Weight) {
        var sample = ProtobufWriter()
        sample.add(1, packed: locations(from: stack.node))
        sample.add(2, packed: [UInt64(weight.samples), UInt64(bitPattern: types.value(of: weight))])
        sample.add(3, label("thread", text: number(of: stack.thread)))
        if stack.process != 0 { sample.add(3, label("pid", number: Int64(stack.process))) }
        if stack.cgroup != profile.noName { sample.add(3, label("cgroup", text: number(of: stack.cgroup))) }
        if profile.includesWaits, !profile.event.isEmpty {
            sample.add(3, label("state", text: number(of: stack.isWaiting ? "off-cpu" : "on-cpu")))
        }
        if stack.outcome != .complete {
            sample.add(3, label("stack", text: number(of: stack.outcome.rawValue)))
            sample.add(3, label("stack-end", text: number(of: stack.end)))
        }
        message.add(2, sample)
    }

    /// Innermost first.
    private mutating func locations(from innermost: UInt32) -> [UInt64] {
        var found: [UInt64] = []
        profile.eachPlace(from: innermost) { found.append(location($0)) }
        return found
    }

    /// A `Label`, whose key and text are numbers of strings.
    private mutating func label(_ key: String, text: Int64 = 0, number: Int64 = 0) -> ProtobufWriter {
        var label = ProtobufWriter()
        label.add(1, self.number(of: key))
        label.add(2, text)
        label.add(3, number)
        return label
    }
}
