import Files
import KernelUnwinder
import Profile
import Symbols

/// Text as `perf script` prints it: each sample with its stack, in the order of time. docs/profiles.md says what differs.
public struct PerfScriptFormat: NamedProfileFormat {
    public let tellsProcessesApart = true
    public let needsTimes = true

    /// The format has no options.
    public init() {}

    /// - Throws: ``NoTimes``
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        guard let timeline = profile.timeline else { throw NoTimes() }
        let frames = FrameLines(profile)
        let threads = MadeLines(profile.stacks) { PrintableText.of(profile.names[$0.stack.thread]) }
        let events = MadeLines([" \(Self.event(of: profile)): \n", " off-cpu: \n"]) { $0 }
        var text = LineWriter()
        for sample in timeline.sorted {
            let stack = profile.stacks[sample.stack].stack
            text.append(sample.stack, of: threads, to: &output)
            Self.append(stack.process, sample, to: &text, &output)
            text.append(decimal: FlameTree.whole(profile.weight(of: sample)), to: &output)
            text.append(sample.waited == nil ? 0 : 1, of: events, to: &output)
            frames.append(stack, to: &text, &output)
            text.append("\n", to: &output)
        }
        text.flush(to: &output)
    }

    /// ` pid/tid [cpu] seconds.microseconds: `
    private static func append(
        _ process: Int32, _ sample: Timeline.Sample, to text: inout LineWriter, _ output: inout some ByteSink
    ) {
        text.append(" ", to: &output)
        text.append(decimal: Int(process), to: &output)
        text.append("/", to: &output)
        text.append(decimal: Int(sample.thread), to: &output)
        if let cpu = sample.cpu {
            text.append(" [", to: &output)
            text.append(decimal: UInt64(cpu), digits: 3, to: &output)
            text.append("]", to: &output)
        }
        text.append(" ", to: &output)
        text.append(decimal: sample.time / 1_000_000_000, to: &output)
        text.append(".", to: &output)
        text.append(decimal: sample.time / 1000 % 1_000_000, digits: 6, to: &output)
        text.append(": ", to: &output)
    }

    private static func event(of profile: NamedProfile) -> String {
        switch profile.event {
        case "": "off-cpu"
        case "clock": "cpu-clock"
        case let event: PrintableText.of(event)
        }
    }
}

/// The lines of frames, each made once, with its address in the file; the process's is put there if it is another one.
private struct FrameLines {
    private static let digits = 16

    private let nodes: [NamedProfile.Node]
    private let frames: [NamedProfile.Frame]
    private let addresses: ProcessAddresses
    /// By the frame's number, and then that of callers that are missing.
    private let lines: MadeLines

    init(_ profile: NamedProfile) {
        let modules = profile.modules.map { PrintableText.of(profile.names[$0.path]) }
        (nodes, frames, addresses) = (profile.nodes, profile.frames, ProcessAddresses(profile))
        lines = MadeLines(0...frames.count) { number in
            guard number < profile.frames.count else { return "\t               0 [truncated] ([unknown])\n" }
            let frame = profile.frames[number]
            let digits = String(frame.address, radix: 16)
            let module =
                frame.marks.contains(.inlined)
                ? "inlined"
                : frame.marks.contains(.kernel)
                    ? "[kernel.kallsyms]" : frame.module.map { modules[Int($0)] } ?? "[unknown]"
            let name = PrintableText.of(profile.names[frame.function])
            let blanks = String(repeating: " ", count: Self.digits - digits.utf8.count)
            return "\t\(blanks)\(digits) \(name) (\(module))\n"
        }
    }

    /// Appends the lines of a stack, the innermost frame first.
    func append(_ stack: NamedProfile.Stack, to text: inout LineWriter, _ output: inout some ByteSink) {
        var node = nodes[Int(stack.node)], number = stack.node
        while number != 0 {
            append(Int(node.frame), in: stack.space, to: &text, &output)
            number = node.parent
            node = nodes[Int(number)]
        }
        if stack.outcome == .truncated { text.append(frames.count, of: lines, to: &output) }
    }

    private func append(
        _ number: Int, in space: UInt32, to text: inout LineWriter, _ output: inout some ByteSink
    ) {
        let frame = frames[number], address = addresses.address(of: frame, in: space)
        if address == frame.address { return text.append(number, of: lines, to: &output) }
        text.append("\t", to: &output)
        text.append(hexadecimal: address, digits: Self.digits, to: &output)
        text.append(number, of: lines, from: 1 + Self.digits, to: &output)
    }
}
