import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
import Testing

/// Lines in the format of flame graph tools.
@Suite struct FoldedStacksTests {
    private let whole = StackEnd(code: CFIC_STEP_END_OF_STACK.rawValue)

    /// The lines for stacks of a process that maps memory with these names at 0x1000, 0x2000 and so on.
    private func lines(_ names: [String], _ stacks: [(Stacks.Stack, Int)]) -> [String] {
        var made = MadeRecording(mapping: names)
        for (stack, count) in stacks { made.add(stack, count: count) }
        return FoldedStacks(made.stacks, Symbolizer(made.processes)).text.split(separator: "\n").map(String.init)
    }

    private func stack(
        _ frames: [Sample.Frame], command: String = "thread", kernel: [UInt64] = [], end: StackEnd? = nil
    ) -> Stacks.Stack {
        MadeRecording.stack(frames, thread: command, kernel: kernel, end: end ?? whole)
    }

    @Test func outermostComesFirst() {
        let frames = [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010), Sample.Frame(0x3010)]
        #expect(lines(["/a", "/b", "/c"], [(stack(frames), 3)]) == ["thread;[c];[b];[a] 3"])
    }

    @Test func kernelFramesAreInnermost() {
        let found = lines(["/a"], [(stack([Sample.Frame(0x1010, isExact: true)], kernel: [1, 2]), 1)])
        // Addresses below all of the kernel's functions.
        #expect(found == ["thread;[a];[kernel];[kernel] 1"])
    }

    @Test func stackWithoutItsOutermostFrameIsMarked() {
        for code in 0..<UInt32(CFIC_STEP_COUNT.rawValue) {
            let end = StackEnd(code: code)
            let found = lines(["/a"], [(stack([Sample.Frame(0x1010, isExact: true)], end: end), 1)])
            #expect(found == [end.isOutermost ? "thread;[a] 1" : "thread;[truncated];[a] 1"], "\(end)")
        }
    }

    @Test func guessedFramesAreMarked() {
        let frames = [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010, isGuessed: true), Sample.Frame(0x2020)]
        #expect(lines(["/a", "/b"], [(stack(frames), 1)]) == ["thread;[b];[b]_[fp];[a] 1"])
    }

    /// `[truncated]` appears only if the outermost frame was not reached.
    @Test func guessesThatCouldNotBeCheckedHaveAMarkOfTheirOwn() {
        let frames = [
            Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010, isGuessed: true, isUnchecked: true),
            Sample.Frame(0x2020, isGuessed: true, isUnchecked: true),
        ]
        #expect(lines(["/a", "/b"], [(stack(frames), 1)]) == ["thread;[b]_[fp?];[b]_[fp?];[a] 1"])
        let chain = StackEnd(code: CFIC_STEP_END_OF_CHAIN.rawValue)
        let bad = StackEnd(code: CFIC_STEP_BAD_FRAME_POINTER.rawValue)
        #expect(lines(["/a", "/b"], [(stack(frames, end: chain), 1)]) == ["thread;[b]_[fp?];[b]_[fp?];[a] 1"])
        #expect(
            lines(["/a", "/b"], [(stack(frames, end: bad), 1)]) == ["thread;[truncated];[b]_[fp?];[b]_[fp?];[a] 1"])
    }

    @Test func namesCannotEndThemselvesOrTheLine() {
        let frames = [Sample.Frame(0x1010, isExact: true), Sample.Frame(0x2010)]
        let found = lines(["/a;b", "/c\nd 7"], [(stack(frames, command: "x;y\tz\u{1}"), 2)])
        #expect(found == ["x:y\\x09z\\x01;[c\\x0ad 7];[a:b] 2"])
    }

    @Test func addressWithoutAMappingIsUnknown() {
        #expect(lines([], [(stack([Sample.Frame(0x9010, isExact: true)]), 1)]) == ["thread;[unknown] 1"])
        #expect(lines(["", "[heap]"], [(stack([Sample.Frame(0x1010, isExact: true)]), 1)]) == ["thread;[anonymous] 1"])
        #expect(lines(["", "[heap]"], [(stack([Sample.Frame(0x2010, isExact: true)]), 1)]) == ["thread;[heap] 1"])
    }

    @Test func mostOftenSeenComesFirstAndEqualsByName() {
        func of(_ pc: UInt64, _ count: Int) -> (Stacks.Stack, Int) { (stack([Sample.Frame(pc, isExact: true)]), count) }
        let found = lines(["/b", "/a", "/c"], [of(0x1010, 2), of(0x2010, 2), of(0x3010, 5)])
        #expect(found == ["thread;[c] 5", "thread;[a] 2", "thread;[b] 2"])
    }

    @Test func stacksThatReadTheSameAreOneLine() {
        let found = lines(
            ["/a"],
            [
                (stack([Sample.Frame(0x1010, isExact: true)]), 2), (stack([Sample.Frame(0x1020, isExact: true)]), 3),
            ])
        #expect(found == ["thread;[a] 5"])
    }

    /// A call may be its function's last instruction: the return address is the next function's first.
    @Test func returnAddressBelongsToTheCaller() {
        let found = lines(["/a", "/b"], [(stack([Sample.Frame(0x2000, isExact: true), Sample.Frame(0x2000)]), 1)])
        #expect(found == ["thread;[a];[b] 1"])
    }

    /// Stacks contain numbers of names: two hundred stacks with a mebibyte in each frame don't take 21 GB.
    @Test(.timeLimit(.minutes(30))) func namesAreKeptOnce() {
        struct Counter: TextOutputStream {
            var bytes = 0
            mutating func write(_ text: String) { bytes += text.utf8.count }
        }
        let long = "/" + String(repeating: "n", count: 1 << 20)
        var made = MadeRecording(mapping: [long])
        for depth in 1...200 { made.add(stack(Array(repeating: Sample.Frame(0x1010), count: depth))) }
        let folded = FoldedStacks(made.stacks, Symbolizer(made.processes))
        #expect(folded.lineCount == 200)
        var counter = Counter()
        folded.write(to: &counter)
        #expect(counter.bytes > 200 * 200 / 2 * (1 << 20))
    }

    @Test func waitsAreNanosecondsAndApartFromRunning() {
        var made = MadeRecording(mapping: ["/a"])
        var waiting = stack([Sample.Frame(0x1010)])
        made.add(waiting, count: 2)
        waiting.isWaiting = true
        for length in [1e9, 2e9 + 0.6] { made.stacks.add(waiting, waited: length) }
        var recording = made.recording()
        func text() -> String { FoldedStacks(recording, Symbolizer(made.processes)).text }
        // Nothing of waits, unless they were sampled.
        #expect(text() == "thread;[a] 4\n")
        (recording.includesWaits, recording.frequency) = (true, 1000)
        #expect(text() == "thread;[off-cpu];[a] 3000000001\nthread;[on-cpu];[a] 2000000\n")
        recording.event = nil
        #expect(text() == "thread;[a] 3002000001\n")
    }

    @Test func nothingIsNoLine() {
        #expect(lines([], []) == [])
        #expect(FoldedStacks(Stacks(), Symbolizer(ProcessHistories())).text == "")
    }
}
