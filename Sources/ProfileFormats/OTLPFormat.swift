import Files
import KernelUnwinder
import Symbols

/// Profiles for OpenTelemetry: `ProfilesData` and, with the same fields, `ExportProfilesServiceRequest` of
/// https://github.com/open-telemetry/opentelemetry-proto (v1development, 1.9 and 1.10), as protocol buffers. docs/serving.md says
/// what is where in it.
public struct OTLPFormat {
    private let began: UInt64
    private let resource: [(key: String, value: String)]
    private let version: String
    private let id: [UInt8]

    /// - Parameters:
    ///   - began: when the profile began, in nanoseconds since 1970.
    ///   - resource: attributes of what was profiled.
    ///   - version: cfic's.
    ///   - id: identifies the profile: 16 bytes, by default random ones.
    public init(
        began: UInt64, resource: [(key: String, value: String)], version: String,
        id: [UInt8] = (0..<16).map { _ in .random(in: 0...255) }
    ) { (self.began, self.resource, self.version, self.id) = (began, resource, version, id) }

    /// The message.
    public func bytes(_ profile: NamedProfile) -> [UInt8] {
        var dictionary = OTLPDictionary(profile)
        var profiled = ProtobufWriter()
        let types = ProfileTypes(profile)
        profiled.add(1, dictionary.valueType(types.counted))
        for (stack, weight) in profile.stacks {
            var sample = ProtobufWriter()
            sample.add(1, UInt64(dictionary.stack(of: stack.node)))
            sample.add(2, packed: dictionary.attributes(of: stack).map(UInt64.init))
            sample.add(4, packed: [UInt64(bitPattern: types.value(of: weight))])
            profiled.add(2, sample)
        }
        profiled.add(3, fixed: began)
        profiled.add(4, UInt64(bitPattern: ProfileTypes.whole(profile.seconds * 1e9)))
        if let (type, period) = types.period {
            profiled.add(5, dictionary.valueType(type))
            profiled.add(6, period)
        }
        profiled.add(7, element: id)

        var scope = ProtobufWriter()
        scope.add(1, element: "cfic")
        scope.add(2, element: version)
        var scopeProfiles = ProtobufWriter()
        scopeProfiles.add(1, scope)
        scopeProfiles.add(2, profiled)
        var attributes = ProtobufWriter()
        for (key, value) in resource {
            var attribute = ProtobufWriter()
            attribute.add(1, element: key)
            attribute.add(2, OTLPDictionary.Value.text(value).message)
            attributes.add(1, attribute)
        }
        var resourceProfiles = ProtobufWriter()
        resourceProfiles.add(1, attributes)
        resourceProfiles.add(2, scopeProfiles)
        var message = ProtobufWriter()
        message.add(1, resourceProfiles)
        message.add(2, dictionary.finished())
        return message.bytes
    }
}

/// The tables of a message, which refer to each other by index. The first element of each is the empty one.
private struct OTLPDictionary {
    enum Value: Hashable {
        case text(String)
        case number(Int64)

        /// An `AnyValue`.
        var message: ProtobufWriter {
            var message = ProtobufWriter()
            switch self {
            case .text(let text): message.add(1, element: text)
            case .number(let number): message.add(3, number)
            }
            return message
        }
    }

    private struct Attribute: Hashable {
        var key: String
        var value: Value
    }

    private struct Function: Hashable {
        var name, symbol, file: NameTable.ID
    }

    private let profile: NamedProfile
    /// The messages of the tables so far.
    private var mappings = ProtobufWriter(), functions = ProtobufWriter(), attributes = ProtobufWriter()
    private var locations = ProtobufWriter(), stacks = ProtobufWriter()
    /// By their messages: frames that differ only by their marks are one location, and no message may be there twice.
    private var locationMessages: [[UInt8]: Int] = [:], stackMessages: [[UInt8]: Int] = [[]: 0]
    private var strings = [""]
    private var stringNumbers = ["": 0]
    private var nameNumbers: [NameTable.ID: Int] = [:]
    private var attributeNumbers: [Attribute: Int] = [:]
    private var functionNumbers: [Function: Int] = [:]
    /// By the frames that are at one place, the innermost first.
    private var locationNumbers: [[UInt32]: Int] = [:]
    private var stackNumbers: [UInt32: Int] = [0: 0]

    init(_ profile: NamedProfile) {
        self.profile = profile
        mappings.add(1, ProtobufWriter())
        locations.add(2, ProtobufWriter())
        functions.add(3, ProtobufWriter())
        attributes.add(6, ProtobufWriter())
        stacks.add(7, ProtobufWriter())
        addMappings()
    }

    /// The `ProfilesDictionary`. Its fields may come in any order.
    func finished() -> ProtobufWriter {
        var message = ProtobufWriter()
        for table in [mappings, locations, functions, attributes, stacks] { message.append(table) }
        // There are no links to traces.
        message.add(4, ProtobufWriter())
        for string in strings { message.add(5, element: string) }
        return message
    }

    private mutating func number(of text: String) -> Int {
        if let known = stringNumbers[text] { return known }
        stringNumbers[text] = strings.count
        strings.append(text)
        return strings.count - 1
    }

    private mutating func number(of name: NameTable.ID) -> Int {
        if let known = nameNumbers[name] { return known }
        let number = number(of: PrintableText.of(profile.names[name]))
        nameNumbers[name] = number
        return number
    }

    mutating func valueType(_ type: ProfileTypes.ValueType) -> ProtobufWriter {
        var message = ProtobufWriter()
        message.add(1, UInt64(number(of: type.type)))
        message.add(2, UInt64(number(of: type.unit)))
        return message
    }

    private mutating func number(of key: String, _ value: Value) -> Int {
        let attribute = Attribute(key: key, value: value)
        if let known = attributeNumbers[attribute] { return known }
        var message = ProtobufWriter()
        message.add(1, UInt64(number(of: key)))
        message.add(2, value.message)
        attributes.add(6, message)
        let number = attributeNumbers.count + 1
        attributeNumbers[attribute] = number
        return number
    }

    /// Names of attributes are those of OpenTelemetry's semantic conventions, where these have one.
    mutating func attributes(of stack: NamedProfile.Stack) -> [Int] {
        var found = [number(of: "thread.name", .text(PrintableText.of(profile.names[stack.thread])))]
        if stack.process != 0 { found.append(number(of: "process.pid", .number(Int64(stack.process)))) }
        if stack.cgroup != profile.noName {
            found.append(number(of: "process.linux.cgroup", .text(PrintableText.of(profile.names[stack.cgroup]))))
        }
        if profile.includesWaits, !profile.event.isEmpty {
            found.append(number(of: "cfic.state", .text(stack.isWaiting ? "off-cpu" : "on-cpu")))
        }
        if stack.outcome != .complete {
            found.append(number(of: "cfic.stack", .text(stack.outcome.rawValue)))
            found.append(number(of: "cfic.stack_end", .text(profile.names[stack.end])))
        }
        return found
    }

    // MARK: Code

    private mutating func addMappings() {
        var ends = Array(repeating: UInt64(0), count: profile.modules.count)
        for frame in profile.frames {
            if let module = frame.module.map(Int.init) { ends[module] = max(ends[module], frame.address) }
        }
        for (module, end) in zip(profile.modules, ends) {
            var message = ProtobufWriter()
            // Addresses are those in the file, so each mapping begins at 0. It ends behind the last frame in it.
            message.add(2, end | 0xfff == .max ? .max : (end | 0xfff) + 1)
            message.add(4, UInt64(number(of: module.path)))
            if module.buildID != profile.noName {
                let id = Value.text(profile.names[module.buildID])
                message.add(5, packed: [UInt64(number(of: "process.executable.build_id.gnu", id))])
            }
            mappings.add(1, message)
        }
    }

    private mutating func function(of frame: NamedProfile.Frame) -> Int {
        let key = Function(name: frame.function, symbol: frame.symbol, file: frame.file)
        if let known = functionNumbers[key] { return known }
        var message = ProtobufWriter()
        message.add(1, UInt64(number(of: key.name)))
        message.add(2, UInt64(number(of: key.symbol)))
        message.add(3, UInt64(number(of: key.file)))
        functions.add(3, message)
        let number = functionNumbers.count + 1
        functionNumbers[key] = number
        return number
    }

    /// - Parameter frames: as the keys of `locationNumbers`.
    private mutating func location(_ frames: [UInt32]) -> Int {
        if let known = locationNumbers[frames] { return known }
        let outer = profile.frames[Int(frames[frames.count - 1])]
        var message = ProtobufWriter()
        message.add(1, outer.module.map { UInt64($0) + 1 } ?? 0)
        // The call, rather than where it returns to.
        message.add(2, outer.marks.contains(.exact) || outer.address == 0 ? outer.address : outer.address - 1)
        for number in frames {
            let frame = profile.frames[Int(number)]
            var line = ProtobufWriter()
            line.add(1, UInt64(function(of: frame)))
            line.add(2, UInt64(frame.line))
            message.add(3, line)
        }
        let kind = outer.marks.contains(.kernel) ? "kernel" : "native"
        message.add(4, packed: [UInt64(number(of: "profile.frame.type", .text(kind)))])
        let number = locationMessages[message.bytes] ?? locationMessages.count + 1
        if locationMessages.updateValue(number, forKey: message.bytes) == nil { locations.add(2, message) }
        locationNumbers[frames] = number
        return number
    }

    mutating func stack(of innermost: UInt32) -> Int {
        if let known = stackNumbers[innermost] { return known }
        var found: [UInt64] = []
        profile.eachPlace(from: innermost) { found.append(UInt64(location($0))) }
        var message = ProtobufWriter()
        message.add(1, packed: found)
        let number = stackMessages[message.bytes] ?? stackMessages.count
        if stackMessages.updateValue(number, forKey: message.bytes) == nil { stacks.add(7, message) }
        stackNumbers[innermost] = number
        return number
    }
}
