import KernelUnwinder
import Symbols

/// Reads folded stacks, those of cfic and those of other tools: docs/profiles.md, "Reading".
struct FoldedReader {
    private let bytes: [UInt8]
    private var profile = NamedProfile(unit: .samples, event: "samples", seconds: 0)
    private var limits = ProfileLimits()
    /// By a part of a line.
    private var frames: [String: UInt32] = [:]
    private let kernel: UInt32
    private var names: (truncated: NameTable.ID, complete: NameTable.ID)

    static func read(_ bytes: [UInt8]) throws(ProfileProblem) -> NamedProfile {
        var reader = FoldedReader(bytes)
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            try reader.add(start..<end)
            start = end + 1
        }
        return reader.profile
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        kernel = profile.number(of: .init(path: profile.name("[kernel]"), buildID: profile.noName))
        names = (profile.name("[truncated]"), profile.noName)
    }

    private mutating func add(_ line: Range<Int>) throws(ProfileProblem) {
        var line = line
        if bytes[line].last == UInt8(ascii: "\r") { line = line.dropLast() }
        if bytes[line].allSatisfy({ $0 == UInt8(ascii: " ") }) { return }
        guard let space = bytes[line].lastIndex(of: UInt8(ascii: " ")),
            let count = Self.number(bytes[(space + 1)..<line.upperBound])
        else {
            throw ProfileProblem("a line without a number at its end: these are no folded stacks", at: line.lowerBound)
        }
        var stack = NamedProfile.Stack(
            node: 0, process: 0, thread: profile.noName, cgroup: profile.noName, isWaiting: false,
            end: names.complete, outcome: .complete)
        var depth = 0, isFirst = true, areMarks = true
        for part in bytes[line.lowerBound..<space].split(
            separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        {
            let text = String(decoding: part, as: UTF8.self)
            if isFirst {
                (stack.thread, isFirst) = (profile.name(text), false)
                continue
            }
            // Marks of the whole stack are behind the thread.
            if areMarks, take(mark: text, &stack) { continue }
            areMarks = false
            depth += 1
            guard depth <= ProfileLimits.depth else { break }
            stack.node = profile.node(of: frame(text), calledFrom: stack.node)
        }
        // Of time, the samples aren't known.
        let samples = profile.unit == .samples ? count : 1
        if let problem = limits.add(depth: depth, samples: samples, weight: Double(count)) {
            throw ProfileProblem(problem, at: line.lowerBound)
        }
        if count > 0 { profile.add(stack, .init(samples: samples, total: Double(count))) }
    }

    private mutating func take(mark: String, _ stack: inout NamedProfile.Stack) -> Bool {
        switch mark {
        case "[truncated]": (stack.outcome, stack.end) = (.truncated, names.truncated)
        case "[off-cpu]", "[on-cpu]":
            // Only profiles of both have these marks, and they count time.
            (profile.unit, profile.includesWaits) = (.nanoseconds, true)
            stack.isWaiting = mark == "[off-cpu]"
        default: return false
        }
        return true
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }

    /// At the ends of names: docs/profiles.md, "Folded".
    private static let marks: [(suffix: String, marks: NamedProfile.Marks)] = [
        ("_[k]", .kernel), ("_[i]", .inlined), ("_[fp?]", [.guessed, .unchecked]), ("_[fp]", .guessed),
    ]

    private mutating func frame(_ part: String) -> UInt32 {
        if let known = frames[part] { return known }
        var function = part[...], marks: NamedProfile.Marks = part == "[kernel]" ? .kernel : []
        if let mark = Self.marks.first(where: { part.hasSuffix($0.suffix) && part != $0.suffix }) {
            function = part.dropLast(mark.suffix.count)
            marks = mark.marks
        }
        let name = profile.name(String(function))
        let number = profile.number(
            of: .init(
                function: name, symbol: name, module: marks.contains(.kernel) ? kernel : nil, file: profile.noName,
                marks: marks))
        frames[part] = number
        return number
    }
}
