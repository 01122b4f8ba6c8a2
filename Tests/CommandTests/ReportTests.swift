import Foundation
import TestFixtures
import Testing

/// `cfic report`.
@Suite(.timeLimit(.minutes(30))) struct ReportTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private static let folded = """
        worker;main;serve;read_[k] 60
        worker;main;serve 30
        other;main;idle(int) 10

        """

    private func folded(_ text: String = folded, named name: String = "a.folded") throws -> String {
        try place.write(Array(text.utf8), to: name)
    }

    @Test func functionsAreListed() throws {
        let outcome = try place.cfic("report", folded())
        #expect(outcome.code == 0 && outcome.diagnostics == "")
        #expect(
            outcome.output == """
                100 samples
                self           total            module    function
                  60  60.00 %     60   60.00 %  [kernel]  read
                  30  30.00 %     90   90.00 %            serve
                  10  10.00 %     10   10.00 %            idle(int)
                   0   0.00 %    100  100.00 %            main

                """, "\(outcome.output)")
    }

    @Test func listsAreLimited() throws {
        let outcome = try place.cfic("report", folded(), "-n", "1")
        #expect(outcome.output.contains("read") && !outcome.output.contains("serve"))
        #expect(outcome.output.hasSuffix("3 more; see -n\n"), "\(outcome.output)")
    }

    @Test func threadsAreListed() throws {
        let outcome = try place.cfic("report", folded(), "--by", "thread")
        #expect(outcome.output.contains("   90  90.00 %  worker\n   10  10.00 %  other\n"), "\(outcome.output)")
    }

    @Test func treesAreIndented() throws {
        let outcome = try place.cfic("report", folded(), "--tree", "--min", "20")
        #expect(
            outcome.output == """
                100 samples
                   total      self  function
                100.00 %    0.00 %  main
                 90.00 %   30.00 %   serve
                 60.00 %   60.00 %    read  [kernel]

                """, "\(outcome.output)")
        let callers = try place.cfic("report", folded(), "--callers", "read")
        #expect(callers.output.contains("60.00 %    0.00 %  read"), "\(callers.output)")
        // A function is found without its parameters.
        let callees = try place.cfic("report", folded(), "--callees", "idle")
        #expect(callees.output.contains("10.00 %   10.00 %  idle(int)"), "\(callees.output)")
    }

    @Test func functionThatIsNotThereIsAskedFor() throws {
        let outcome = try place.cfic("report", folded(), "--callers", "sreve")
        #expect(outcome.code == 1 && outcome.output == "")
        #expect(outcome.diagnostics.contains("no function 'sreve' is in the profile; did you mean serve?"))
    }

    @Test func changesAreListedAndPictured() throws {
        let old = try folded("worker;main;serve 10\nworker;main;idle(int) 10\n", named: "old.folded")
        let outcome = try place.cfic("report", folded(), "--diff", old)
        #expect(outcome.output.contains("before: 20 samples"), "\(outcome.output)")
        #expect(
            outcome.output.contains("60.00 %   0.00 %  +60.00   60.00 %    0.00 %  +60.00  [kernel]  read\n"),
            "\(outcome.output)")
        #expect(outcome.output.contains("10.00 %  50.00 %  -40.00"), "\(outcome.output)")
        let files = try place.cfic("report", folded(), "--diff", old, "-o", "d.html", "-o", "d.svg")
        #expect(files.code == 0 && files.output == "", "\(files.diagnostics)")
        for name in ["d.html", "d.svg"] {
            let text = String(decoding: try place.bytes("\(place.directory)/\(name)"), as: UTF8.self)
            #expect(text.contains("read"), "\(name)")
        }
    }

    @Test func filesAreConverted() throws {
        let outcome = try place.cfic(
            words: ["report", folded()] + ["b.cfic", "b.pb.gz", "b.html", "b.svg", "b.json"].flatMap { ["-o", $0] })
        #expect(outcome.code == 0 && outcome.output == "", "\(outcome.diagnostics)")
        for name in ["b.cfic", "b.pb.gz"] {
            let again = try place.cfic("report", name, "--format", "folded")
            #expect(again.output == Self.folded, "\(name): \(again.diagnostics)")
        }
        let json = try JSONSerialization.jsonObject(with: Data(place.bytes("\(place.directory)/b.json")))
        #expect((json as? [String: Any])?["schema"] as? String == "report")
    }

    @Test(arguments: [
        (["--by", "thread", "--tree"], "exclude each other"), (["--diff", "x", "--tree"], "--diff compares tables"),
        (["-n", "0"], "at least 1"), (["--min", "5"], "--min goes with"), (["--min", "101", "--tree"], "a percentage"),
        (["-o", "x.unknown"], "none of the extensions"), (["--by", "colour"], "colour"),
        (["-o", "x.html", "--tree"], "other formats have all"), (["-o", "x.svg", "-n", "3"], "other formats have all"),
        (["--diff", "a.folded", "-o", "x.svg", "-o", "x.pb.gz"], "--diff can be written as .html, .svg and .json"),
    ])
    func wrongUsageIsExplained(options: [String], message: String) throws {
        let outcome = try place.cfic(words: ["report", folded()] + options)
        #expect(outcome.code == 64 && outcome.diagnostics.contains(message), "\(outcome.diagnostics)")
    }

    @Test func filesThatCannotBeReadAreNamed() throws {
        func expect(_ path: String, _ message: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let outcome = try place.cfic("report", path)
            #expect(outcome.code == 1 && outcome.output == "", sourceLocation: sourceLocation)
            #expect(
                outcome.diagnostics.contains("\(path): ") && outcome.diagnostics.contains(message),
                "\(outcome.diagnostics)", sourceLocation: sourceLocation)
        }
        try expect("missing.cfic", "No such file")
        try expect(place.directory, "directory")
        try expect(place.write([], to: "empty.cfic"), "the file is empty")
        try expect(folded("a;b 0\n", named: "zero.folded"), "there are no samples in it")
        try expect(folded("a;b\n", named: "text.txt"), "byte 0: a line without a number")
        try expect(folded("<!DOCTYPE html>", named: "page.html"), "a page or a picture")
        try expect("/bin/true", "byte ")
        _ = try place.cfic("report", folded(), "-o", "b.cfic")
        let file = try place.bytes("\(place.directory)/b.cfic")
        try expect(place.write(Array(file.dropLast(5)), to: "cut.cfic"), "the file is cut off")
    }

    /// An output that can't be written leaves what was there.
    @Test func goodFileIsNotReplacedByABrokenOne() throws {
        let good = try folded()
        try place.write(Array("broken".utf8), to: "broken.pb.gz")
        let outcome = try place.cfic("report", "broken.pb.gz", "-o", "a.folded")
        #expect(outcome.code == 1)
        #expect(try place.bytes(good) == Array(Self.folded.utf8))
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func recordingIsReportedAsItsFoldedStacksAre() throws {
        let record = try place.shell(
            "cfic profile -F 999 -o r.cfic -o r.folded -o r.pb.gz -- bash -c 'for ((i = 0; i < 200000; i++)); do :; done'"
        )
        #expect(record.code == 0, "\(record.diagnostics)")
        let expected = String(decoding: try place.bytes("\(place.directory)/r.folded"), as: UTF8.self)
        let outcome = try place.cfic("report", "r.cfic", "--format", "folded")
        #expect(outcome.output == expected && expected.contains("bash;"))
        // A time for each sample: its file is larger than one without.
        let plain = try place.cfic("report", "r.pb.gz", "-o", "p.cfic")
        #expect(plain.code == 0)
        let sizes = try ["r.cfic", "p.cfic"].map { try place.bytes("\(place.directory)/\($0)").count }
        #expect(sizes[0] > sizes[1], "\(sizes)")
        let top = try place.cfic("report", "r.cfic", "--by", "module")
        #expect(top.output.contains("bash"), "\(top.output)")
    }

    /// A recording of a program with split DWARF, and what is found again with it and without it.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func inlinedFunctionsOfSplitDWARFAreFoundOrMissed() throws {
        let record = try place.shell(
            """
            gcc -O2 -w -g -gsplit-dwarf -c -o inlined.o '\(LiveProgram.sources)/inlined.c' &&
            gcc -nostartfiles -Wl,-e,main,--build-id=sha1 -o inlined inlined.o &&
            cfic profile -F 999 -d 1 -o r.cfic -- ./inlined
            """)
        #expect(record.code == 0, "\(record.diagnostics)")
        let found = try place.cfic("report", "r.cfic", "--inline")
        #expect(found.output.contains(" innermost\n") && found.diagnostics == "", "\(found.output)\(found.diagnostics)")
        let lines = try place.cfic("report", "r.cfic", "--inline", "--by", "line")
        #expect(lines.output.contains(#/inlined\.c:1[2-4]\n/#), "\(lines.output)")

        unlink("\(place.directory)/inlined.dwo")
        let missed = try place.cfic("report", "r.cfic", "--inline")
        // Which of the two that aren't inlined into another has more samples, differs.
        let named = missed.output.contains(" outer\n") || missed.output.contains(" main\n")
        #expect(!missed.output.contains("innermost") && named, "\(missed.output)")
        #expect(missed.diagnostics.contains("/inlined.dwo can't be read: No such file"), "\(missed.diagnostics)")
        let remaining = try place.cfic("report", "r.cfic", "--inline", "--by", "line")
        #expect(remaining.output.contains(#/inlined\.c:1[2-4]\n/#), "\(remaining.output)")
    }
}
