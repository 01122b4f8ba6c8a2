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
        let lines = FrameLines(profile)
        let threads = profile.stacks.map { Array(FrameLines.printable(profile.names[$0.stack.thread]).utf8) }
        let event = Array(" \(Self.event(of: profile)): \n".utf8), waits = Array(" off-cpu: \n".utf8)
        var text = PieceWriter()
        for sample in timeline.sorted {
            let stack = profile.stacks[sample.stack].stack
            text.append(threads[sample.stack])
            Self.append(stack.process, sample, to: &text)
            text.append(decimal: FlameTree.whole(profile.weight(of: sample)))
            text.append(sample.waited == nil ? event : waits)
            lines.append(stack, to: &text)
            text.append(Self.newline)
            text.flushIfLarge(to: &output)
        }
        text.flush(to: &output)
    }

    private static let newline = Array("\n".utf8)

    /// ` pid/tid [cpu] seconds.microseconds: `
    private static func append(_ process: Int32, _ sample: Timeline.Sample, to text: inout PieceWriter) {
        text.append(" ")
        text.append(decimal: Int(process))
        text.append("/")
        text.append(decimal: Int(sample.thread))
        if let cpu = sample.cpu {
            text.append(" [")
            text.append(decimal: UInt64(cpu), digits: 3)
            text.append("]")
        }
        text.append(" ")
        text.append(decimal: sample.time / 1_000_000_000)
        text.append(".")
        text.append(decimal: sample.time / 1000 % 1_000_000, digits: 6)
        text.append(": ")
    }

    private static func event(of profile: NamedProfile) -> String {
        switch profile.event {
        case "": "off-cpu"
        case "clock": "cpu-clock"
        case let event: FrameLines.printable(event)
        }
    }
}

/// The lines of frames, each made once.
private struct FrameLines {
    private let profile: NamedProfile
    /// One after the other, by the frame's number.
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private static let truncated = Array("\t               0 [truncated] ([unknown])\n".utf8)

    init(_ profile: NamedProfile) {
        self.profile = profile
        let modules = profile.modules.map { Self.printable(profile.names[$0.path]) }
        for frame in profile.frames {
            let digits = String(frame.address, radix: 16)
            let module =
                frame.marks.contains(.inlined)
                ? "inlined"
                : frame.marks.contains(.kernel)
                    ? "[kernel.kallsyms]" : frame.module.map { modules[Int($0)] } ?? "[unknown]"
            let name = Self.printable(profile.names[frame.function])
            bytes += "\t\(String(repeating: " ", count: 16 - digits.utf8.count))\(digits) \(name) (\(module))\n".utf8
            ends.append(bytes.count)
        }
    }

    /// Appends the lines of a stack, the innermost frame first.
    func append(_ stack: NamedProfile.Stack, to text: inout PieceWriter) {
        var node = stack.node
        while node != 0 {
            let frame = Int(profile.nodes[Int(node)].frame)
            bytes.withUnsafeBytes { all in
                text.append(UnsafeRawBufferPointer(rebasing: all[(frame == 0 ? 0 : ends[frame - 1])..<ends[frame]]))
            }
            node = profile.nodes[Int(node)].parent
        }
        if stack.outcome == .truncated { text.append(Self.truncated) }
    }

    /// A name in one line.
    static func printable(_ name: String) -> String { PrintableText.of(name) }
}
