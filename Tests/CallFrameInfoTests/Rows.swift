import CallFrameInfo
import Testing

/// The rows of one FDE as text, such as `1000: r7+8 r16=c-8`, and the outcome of running it.
struct Rows: Equatable {
    var rows: [String]
    var outcome: Interpreter<AllRegisters>.Outcome
}

/// Rows without an error.
func complete(_ rows: [String]) -> Rows { Rows(rows: rows, outcome: .complete) }

extension Rows {
    /// The error that ended the rows, if any.
    var error: CFIError? {
        if case .poisoned(let error, _, _) = outcome { error } else { nil }
    }
    var poisonedFrom: UInt64? {
        if case .poisoned(_, let location, _) = outcome { location } else { nil }
    }
}

extension FrameBuilder {
    /// Runs the FDE at `offset`.
    func rows(_ offset: Int) throws -> Rows {
        try withSection { section in
            let header = try section.entryHeader(at: offset)
            let cie = try section.commonInformationEntry(at: try #require(header.cieOffset))
            let fde = try section.frameDescriptionEntry(header, cie: cie)
            var interpreter = try Interpreter(section, cie: cie, columns: AllRegisters())
            var sink = TextSink()
            let outcome = interpreter.run(fde, sink: &sink)
            return Rows(rows: sink.rows, outcome: outcome)
        }
    }

    /// The FDE's range, `1000..<1100`.
    func range(_ offset: Int) throws -> Range<UInt64> {
        try withSection { section in
            let header = try section.entryHeader(at: offset)
            let cie = try section.commonInformationEntry(at: try #require(header.cieOffset))
            let fde = try section.frameDescriptionEntry(header, cie: cie)
            return fde.start..<fde.limit
        }
    }

    func readCIE(_ offset: Int) throws -> CommonInformationEntry {
        try withSection { try $0.commonInformationEntry(at: offset) }
    }
}

/// The rows of an FDE with these instructions and the usual CIE, at 0x1000 and 0x100 bytes long.
func rows(_ instructions: [UInt8], initial: [UInt8] = FrameBuilder.usual, machine: UInt16 = 62) throws -> Rows {
    var builder = FrameBuilder(machine: machine)
    let cie = builder.cie(instructions: initial)
    let fde = builder.fde(cie: cie, instructions: instructions)
    return try builder.rows(fde)
}

let aarch64: UInt16 = 183

struct TextSink: RowSink {
    var rows: [String] = []

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<AllRegisters>>) {
        var text = String(location, radix: 16) + ": " + Self.describe(state.pointee.cfa)
        for column in state.pointee.columns.columns {
            let rule = Self.describe(column.rule)
            text += " \(column.register == 34 ? "sign" : "r\(column.register)")=\(rule)"
        }
        rows.append(text)
    }

    static func describe(_ cfa: CFARule) -> String {
        switch cfa.kind {
        case .undefined: "none"
        case .registerOffset: "r\(cfa.register)\(signed(cfa.offset))"
        case .expression: "exp\(cfa.expression.block)"
        }
    }

    static func describe(_ rule: RegisterRule) -> String {
        switch rule.kind {
        case .unspecified: rule.register == 0 ? "unspecified" : "state\(rule.register)"
        case .undefined: "undefined"
        case .sameValue: "same"
        case .offset: "c\(signed(rule.offset))"
        case .valueOffset: "v\(signed(rule.offset))"
        case .register: "r\(rule.register)"
        case .expression: "exp\(rule.block)"
        case .valueExpression: "vexp\(rule.block)"
        case .tooWide: "wide"
        }
    }

    static func signed(_ offset: Int64) -> String { offset < 0 ? "\(offset)" : "+\(offset)" }
}

/// The index of the sections as text: spans as `1000..<1100 @18`, where 18 is the FDE's offset.
///
/// An index of one section whose ranges span less than 4 GiB is compact if possible. Its spans must not depend on that.
func index(_ builders: [FrameBuilder], clippedTo ranges: [Range<UInt64>]? = [0..<UInt64.max]) throws -> Index {
    func read(_ rest: ArraySlice<FrameBuilder>, _ sections: [FrameSection]) throws -> Index {
        guard let first = rest.first else {
            let index = try Index(sections, clippedTo: ranges)
            if ranges == [0..<UInt64.max] {
                #expect(try Index(sections, clippedTo: [0..<UInt64(UInt32.max)]) == index)
            }
            return index
        }
        return try first.withSection { try read(rest.dropFirst(), sections + [$0]) }
    }
    return try read(builders[...], [])
}

extension Index {
    init(_ sections: [FrameSection], clippedTo ranges: [Range<UInt64>]?) throws {
        var index = FrameIndex()
        try index.read(sections, clippedTo: ranges)
        for position in 0..<index.count {
            let span = index.span(at: position)
            spans.append("\(String(span.start, radix: 16))..<\(String(span.limit, radix: 16)) @\(span.offset)")
        }
        malformed = index.malformed.map { Malformed(offset: $0.offset, error: $0.error) }
        dropped = index.droppedCount
        overlapping = index.overlappingCount
    }
}

struct Index: Equatable {
    var spans: [String] = []
    var malformed: [Malformed] = []
    var dropped = 0
    var overlapping = 0
}

struct Malformed: Equatable {
    var offset: Int
    var error: CFIError
}
