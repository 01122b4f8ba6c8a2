import Files
import KernelUnwinder
@testable import ProfileFormats

/// A profile with names that a test defines.
struct MadeProfile {
    var profile: NamedProfile
    /// Of the modules that are added from now on.
    var buildID = "c0ffee"

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
        space: UInt32 = 0, cgroup: String = "", isWaiting: Bool = false, outcome: StackOutcome = .complete
    ) -> Int {
        var node: UInt32 = 0
        for frame in frames {
            let module = module(frame.module)
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
                node: node, process: process, space: space, thread: profile.name(thread),
                cgroup: profile.name(cgroup), isWaiting: isWaiting, end: end, outcome: outcome),
            .init(samples: samples, total: weight ?? Double(samples)))
    }

    /// The number of a module.
    mutating func module(_ path: String) -> UInt32 {
        profile.number(of: .init(path: profile.name(path), buildID: profile.name(buildID)))
    }

    /// The number of an address space with pieces of modules at AVMAs.
    mutating func space(_ mappings: [(piece: NamedProfile.Piece, start: UInt64)]) -> UInt32 {
        profile.space(of: mappings.map { .init(page: $0.start / 4096, piece: profile.number(of: $0.piece)) })
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
