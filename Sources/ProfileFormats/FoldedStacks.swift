import Files
import KernelUnwinder
import Profile
import Symbols

/// Folded stacks, for flame graph tools.
public struct FoldedFormat: NamedProfileFormat {
    public let tellsProcessesApart = false
    /// It doesn't, unless functions are inlined at single instructions.
    public let tellsInstructionsApart = false

    /// The format has no options.
    public init() {}

    /// Without a ``NamedProfile`` in between, which would take memory.
    public func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) {
        FoldedStacks(recording, names).write(to: &output)
    }

    public func write(_ profile: NamedProfile, to output: inout some ByteSink) {
        FoldedStacks(profile).write(to: &output)
    }
}

/// Stacks in the format of flame graph tools: one line each, `command;outermost;…;innermost count`. `[truncated]` marks
/// missing outermost frames, `_[fp]` guessed frames, `_[fp?]` guesses that could not be checked, and `_[i]` inlined functions,
/// which have no frames.
///
/// A line is as long as all of its names together, so lines are assembled only when they are written.
public struct FoldedStacks {
    /// The parts of lines, each once, as printed.
    private var parts = NameTable()
    /// Lines as lists of parts, by descending count, then by name.
    private var lines: [(parts: [NameTable.ID], count: Int)] = []

    /// Names all frames, and adds up stacks with equal names.
    ///
    /// - Parameters:
    /// - stacks: what was recorded.
    /// - symbolizer: what names the frames.
    public init(_ stacks: Stacks, _ symbolizer: Symbolizer) {
        self.init(stacks, symbolizer, marksState: false) { _, count in Double(count) }
    }

    /// As ``init(_:_:)``, but if each Nth event triggered a sample, the numbers are events instead of samples. If the
    /// recording includes waits, they are nanoseconds; and if it includes running threads, too, `[off-cpu]` or `[on-cpu]`
    /// follows the thread's name.
    public init(_ recording: Recording, _ symbolizer: Symbolizer) {
        self.init(
            recording.stacks, symbolizer, marksState: recording.includesWaits && recording.event != nil,
            weight: recording.weight)
    }

    private init(
        _ stacks: Stacks, _ symbolizer: Symbolizer, marksState: Bool, weight: (Stacks.Stack, Int) -> Double
    ) {
        var folding = Folding(symbolizer, marksState: marksState)
        var folded: [[NameTable.ID]: Double] = [:]
        for (stack, count) in stacks.counted where count > 0 {
            folded[folding.line(stack), default: 0] += weight(stack, count)
        }
        self.init(folding.parts.parts, folded)
    }

    /// As ``init(_:_:)-(Recording,_)``, of a profile with names.
    public init(_ profile: NamedProfile) {
        var folding = NamedFolding(profile)
        var folded: [[NameTable.ID]: Double] = [:]
        for (stack, weight) in profile.stacks where weight.samples > 0 {
            folded[folding.line(stack), default: 0] += weight.total
        }
        self.init(folding.parts.parts, folded)
    }

    private init(_ parts: NameTable, _ folded: [[NameTable.ID]: Double]) {
        self.parts = parts
        let order = parts.order()
        lines = folded.map { (parts: $0.key, count: FlameTree.whole($0.value)) }.sorted {
            $0.count != $1.count ? $0.count > $1.count : $0.parts.lexicographicallyPrecedes($1.parts, by: order)
        }
    }

    /// Number of different lines.
    public var lineCount: Int { lines.count }

    /// All lines.
    public var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    /// Writes one line at a time, so that only one is in memory.
    public func write(to output: inout some TextOutputStream) {
        for line in lines {
            for (index, part) in line.parts.enumerated() {
                if index > 0 { output.write(";") }
                output.write(parts[part])
            }
            output.write(" \(line.count)\n")
        }
    }
}

/// Converts the stacks of a recording to lines.
private struct Folding {
    private(set) var parts = FoldedParts()
    private let symbolizer: Symbolizer
    private let marksState: Bool

    init(_ symbolizer: Symbolizer, marksState: Bool) {
        (self.symbolizer, self.marksState) = (symbolizer, marksState)
    }

    mutating func line(_ stack: Stacks.Stack) -> [NameTable.ID] {
        var line = parts.beginning(
            stack.command, state: marksState ? stack.isWaiting : nil, isTruncated: stack.outcome == .truncated)
        line.reserveCapacity(3 + stack.userFrames.count + stack.kernelFrames.count)
        for frame in stack.userFrames.reversed() {
            let mark: FoldedParts.Mark = frame.isUnchecked ? .unchecked : frame.isGuessed ? .guessed : .none
            line.append(parts.part(symbolizer.id(of: frame, in: stack.space), symbolizer.names, mark))
            for function in symbolizer.inlinedFunctions(of: frame, in: stack.space).reversed() {
                line.append(parts.part(function.name, symbolizer.names, .inlined))
            }
        }
        for address in stack.kernelFrames.reversed() {
            line.append(parts.part(symbolizer.kernelID(of: address), symbolizer.names, .kernel))
        }
        return line
    }
}

/// Converts the stacks of a profile with names to lines.
private struct NamedFolding {
    private(set) var parts = FoldedParts()
    private let profile: NamedProfile
    private let marksState: Bool

    init(_ profile: NamedProfile) {
        self.profile = profile
        marksState = profile.includesWaits && !profile.event.isEmpty
    }

    mutating func line(_ stack: NamedProfile.Stack) -> [NameTable.ID] {
        let beginning = parts.beginning(
            profile.names[stack.thread], state: marksState ? stack.isWaiting : nil,
            isTruncated: stack.outcome == .truncated)
        var frames: [NameTable.ID] = []
        for frame in profile.frames(from: stack.node) {
            frames.append(parts.part(frame.function, profile.names, FoldedParts.Mark(frame.marks)))
        }
        return beginning + frames.reversed()
    }
}

/// The parts of lines, as printed.
private struct FoldedParts {
    private(set) var parts = NameTable()
    /// Parts by mark and by the name that they were made from.
    private var made: [Mark: [NameTable.ID: NameTable.ID]] = [:]

    enum Mark { case none, guessed, unchecked, kernel, inlined }

    /// What comes before the frames.
    ///
    /// - Parameter state: whether the thread waited; nil if that isn't shown.
    mutating func beginning(_ thread: String, state: Bool?, isTruncated: Bool) -> [NameTable.ID] {
        var line = [parts.intern(Self.escaped(thread))]
        if let state { line.append(parts.intern(state ? "[off-cpu]" : "[on-cpu]")) }
        // Marks that callers are missing, so that nobody takes the outermost known frame for the thread's start.
        if isTruncated { line.append(parts.intern("[truncated]")) }
        return line
    }

    /// The part of a frame.
    ///
    /// - Parameter names: what the name is a number of, always the same.
    mutating func part(_ name: NameTable.ID, _ names: borrowing NameTable, _ mark: Mark) -> NameTable.ID {
        if let known = made[mark]?[name] { return known }
        let text = Self.escaped(names[name])
        let part =
            switch mark {
            case .none: parts.intern(text)
            case .guessed: parts.intern(text + "_[fp]")
            case .unchecked: parts.intern(text + "_[fp?]")
            case .kernel: parts.intern(Symbolizer.marked(text))
            case .inlined: parts.intern(text + "_[i]")
            }
        made[mark, default: [:]][name] = part
        return part
    }

    /// A semicolon would end the name.
    private static func escaped(_ name: String) -> String {
        let name = PrintableText.of(name)
        guard name.utf8.contains(UInt8(ascii: ";")) else { return name }
        return String(decoding: name.utf8.map { $0 == UInt8(ascii: ";") ? UInt8(ascii: ":") : $0 }, as: UTF8.self)
    }
}

extension FoldedParts.Mark {
    fileprivate init(_ marks: NamedProfile.Marks) {
        if marks.contains(.kernel) {
            self = .kernel
        } else if marks.contains(.inlined) {
            self = .inlined
        } else {
            self = marks.contains(.unchecked) ? .unchecked : marks.contains(.guessed) ? .guessed : .none
        }
    }
}
