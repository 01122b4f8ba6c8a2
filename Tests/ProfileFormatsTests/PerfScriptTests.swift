import Files
@testable import ProfileFormats
import Testing

/// Text as `perf script` prints it.
@Suite struct PerfScriptTests {
    private func text(_ made: MadeProfile) throws -> String {
        var output = Bytes()
        try PerfScriptFormat().write(made.profile, to: &output)
        return String(decoding: output.bytes, as: UTF8.self)
    }

    @Test func samplesAreInOrderWithTheirStacks() throws {
        let expected = """
            thread 7/7 [000] 0.020000: 1 cpu-clock: 
            \tffffffff81000000 read ([kernel.kallsyms])
            \t               0 a (/bin/program)
            \t               0 main (/bin/program)

            worker "1" 7/8 [123] 0.025000: 1 cpu-clock: 
            \t               0 work (/bin/program)
            \t               0 start (/bin/program)

            worker 1 7/8 [000] 0.028000: 1 cpu-clock: 
            \t               0 a (/bin/program)
            \t               0 [truncated] ([unknown])

            thread 7/7 [000] 0.030000: 1 cpu-clock: 
            \t            2000 b (/bin/program)
            \t            1011 a (/bin/program)
            \t               0 main (/bin/program)

            other 9/9 [000] 0.040000: 1 cpu-clock: 
            \t            3001 inner\\x01\\ (inlined)
            \t            3001 outer;\\x0a (/bin/program)

            other 9/9 [000] 0.050000: 1 cpu-clock: 

            thread 7/7 [000] 1.000000: 1 cpu-clock: 
            \t               0 a (/bin/program)
            \t               0 main (/bin/program)


            """
        #expect(try text(.timed) == expected)
    }

    /// Two processes with a library in different places, and a place that isn't known.
    @Test func addressesAreThoseOfTheProcess() throws {
        var made = MadeProfile(event: "cycles")
        let library = NamedProfile.Piece(module: made.module("/l.so"), start: 0x1000, size: 0x1000, offset: 0)
        let here = made.space([(library, 0x7f00_0000_1000)]), there = made.space([(library, 0x7f00_0001_2000)])
        // The second one returns to the first address behind the library.
        let frames = [
            MadeProfile.Frame("main", address: 0x1500), .init("last", module: "/l.so", address: 0x2000),
            .init("f", [.exact], module: "/l.so", address: 0x1fff),
            .init("g", [.exact], module: "/l.so", address: 0x2000),
            .init("in", [.inlined], module: "/l.so", address: 0x1800),
        ]
        for (time, space) in [here, there, 0].enumerated() { made.add(frames, at: Double(time), space: space) }
        let lines = try text(made).split(separator: "\n").filter { $0.hasPrefix("\t") }
        #expect(
            lines.map { $0.split(whereSeparator: { " \t".contains($0) })[0] } == [
                "7f0000001800", "2000", "7f0000001fff", "7f0000002000", "1500",
                "7f0000012800", "2000", "7f0000012fff", "7f0000013000", "1500",
                "1800", "2000", "1fff", "2000", "1500",
            ])
        #expect(lines.allSatisfy { $0.prefix(17).count == 17 && $0.dropFirst(17).first == " " })
    }

    @Test func waitsAreAnEventOfTheirOwn() throws {
        var made = MadeProfile(.nanoseconds, event: "cycles")
        made.add(["run"], at: 10, weight: 1e7)
        made.add(["wait"], at: 12, cpu: nil, waited: 2)
        let lines = try text(made).split(separator: "\n").filter { !$0.hasPrefix("\t") }
        #expect(lines == ["thread 7/7 [000] 0.010000: 10000000 cycles: ", "thread 7/7 0.012000: 2000000 off-cpu: "])
    }

    /// They are copied in blocks, and passed on in pieces.
    @Test func linesOfAllLengthsAreWhole() throws {
        var made = MadeProfile(event: "cycles")
        let lengths = Array(1...130) + [1000, 70_000, 262_144 - 40, 300_000]
        var expected = ""
        for time in 0..<5000 {
            let isLong = time % 1000 == 999
            let name = String(repeating: "n", count: isLong ? lengths[130 + time / 1000 % 4] : lengths[time % 130])
            let thread = String(repeating: "t", count: time % 17)
            made.add([.init(name)], at: Double(time), thread: thread)
            let milliseconds = String(repeating: "0", count: 3 - "\(time % 1000)".count) + "\(time % 1000)"
            expected += """
                \(thread) 7/7 [000] \(time / 1000).\(milliseconds)000: 1 cycles: 
                \t               0 \(name) (/bin/program)


                """
        }
        #expect(try text(made) == expected)
    }

    @Test func withoutTimesThereIsNoProfile() {
        var output = Bytes()
        #expect(throws: NoTimes.self) {
            try PerfScriptFormat().write(MadeProfile(folded: ["a;b 1"]).profile, to: &output)
        }
    }
}
