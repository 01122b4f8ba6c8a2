import KernelUnwinder

/// Stacks as flame graph tools read them: `command;outermost;…;innermost count`, a line each. What is not known stands
/// there: `[truncated]` for outermost frames that are missing, `_[fp]` behind frames that were guessed, `_[fp?]` behind
/// those of which the guess could not be checked.
public struct FoldedStacks {
    /// Lines without their counts, and the counts, by falling count and then by name.
    public private(set) var lines: [(stack: String, count: Int)] = []

    public init(_ stacks: Stacks, _ symbolizer: Symbolizer) {
        var folded: [String: Int] = [:]
        for (stack, count) in stacks.counts { folded[Self.line(stack, symbolizer), default: 0] += count }
        lines = folded.map { (stack: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.stack) < ($0.count, $1.stack) }
    }

    public var text: String { lines.map { "\($0.stack) \($0.count)\n" }.joined() }

    private static func line(_ stack: Stacks.Stack, _ symbolizer: Symbolizer) -> String {
        var parts = [escaped(stack.command)]
        // What the outermost frame that was found was called by is not known: nobody shall take it for a thread's start.
        if stack.outcome == .truncated { parts.append("[truncated]") }
        for frame in stack.userFrames.reversed() {
            let name = escaped(symbolizer.name(of: frame, in: stack.program))
            parts.append(name + (frame.isUnchecked ? "_[fp?]" : frame.isGuessed ? "_[fp]" : ""))
        }
        for address in stack.kernelFrames.reversed() { parts.append(escaped(symbolizer.kernelName(of: address))) }
        return parts.joined(separator: ";")
    }

    /// A semicolon, or a newline, in a name would be taken for the end of it.
    private static func escaped(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: ";") || $0 < 0x20 }) else { return name }
        return String(
            decoding: name.utf8.map { $0 == UInt8(ascii: ";") ? UInt8(ascii: ":") : max($0, 0x20) }, as: UTF8.self)
    }
}
