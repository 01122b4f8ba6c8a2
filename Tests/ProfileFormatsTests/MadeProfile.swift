import Files
import KernelUnwinder
@testable import ProfileFormats

/// A profile with names that a test defines.
struct MadeProfile {
    var profile: NamedProfile

    init(_ unit: NamedProfile.Unit = .samples, event: String = "cycles") {
        profile = NamedProfile(unit: unit, event: event, seconds: 1.5)
    }

    /// A frame as a test writes it.
    struct Frame: ExpressibleByStringLiteral {
        var name: String
        var module = "/bin/program"
        var marks: NamedProfile.Marks = []
        var address: UInt64 = 0
        var file = ""
        var line: UInt32 = 0

        init(_ name: String, _ marks: NamedProfile.Marks = [], module: String = "/bin/program", address: UInt64 = 0) {
            (self.name, self.marks, self.module, self.address) = (name, marks, module, address)
        }

        init(stringLiteral name: String) { self.name = name }
    }

    /// Adds samples of a stack, outermost frame first.
    ///
    /// - Returns: its number.
    @discardableResult
    mutating func add(
        _ frames: [Frame], _ samples: Int = 1, weight: Double? = nil, thread: String = "thread", process: Int32 = 7,
        cgroup: String = "", isWaiting: Bool = false, outcome: StackOutcome = .complete
    ) -> Int {
        var node: UInt32 = 0
        for frame in frames {
            let module = profile.number(
                of: .init(path: profile.name(frame.module), buildID: profile.name("c0ffee")))
            let name = profile.name(frame.name)
            let number = profile.number(
                of: .init(
                    function: name, symbol: name, module: module, address: frame.address,
                    file: profile.name(frame.file), line: frame.line, marks: frame.marks))
            node = profile.node(of: number, calledFrom: node)
        }
        let end = profile.name(outcome == .truncated ? "bad-frame-pointer" : "end-of-stack")
        return profile.add(
            .init(
                node: node, process: process, thread: profile.name(thread), cgroup: profile.name(cgroup),
                isWaiting: isWaiting, end: end, outcome: outcome),
            .init(samples: samples, total: weight ?? Double(samples)))
    }

    /// Lines in the format of folded stacks.
    init(folded lines: [String]) {
        self.init()
        for line in lines {
            let (frames, count) = Self.parts(line)
            add(frames.dropFirst().map { Frame($0) }, count, thread: frames[0])
        }
    }

    /// The names of a line, and its number.
    static func parts(_ line: String) -> (names: [String], count: Int) {
        let space = line.lastIndex(of: " ")!
        return (line[..<space].split(separator: ";").map(String.init), Int(line[line.index(after: space)...])!)
    }

    var html: String { Self.text { HTMLFlameGraph(profile).write(to: &$0) } }
    var svg: String { Self.text { SVGFlameGraph(profile).write(to: &$0) } }

    private static func text(_ write: (inout Collected) -> Void) -> String {
        var collected = Collected()
        write(&collected)
        return String(decoding: collected.bytes, as: UTF8.self)
    }

    private struct Collected: ByteSink {
        var bytes: [UInt8] = []
        mutating func write(_ piece: UnsafeRawBufferPointer) { bytes += piece }
    }
}
