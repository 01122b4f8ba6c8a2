import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
import Symbols
import Testing

/// The JSON report of a profile, byte for byte.
@Suite struct ProfileReportTests {
    private func text(_ recording: Recording) throws -> String {
        var output = Bytes()
        let names = Symbolizer(
            recording.processes, kernel: KernelSymbols(text: Array("1000 T schedule\n2000 D data\n".utf8)))
        try JSONFormat().write(recording, names: names, to: &output)
        return String(decoding: output.bytes, as: UTF8.self)
    }

    @Test func reportHasCountersAndStacksTheMostFrequentFirst() throws {
        var made = MadeRecording(mapping: ["/a", "/b\u{1b}"])
        made.add(
            MadeRecording.stack(
                [Sample.Frame(0x1010, isExact: true)], end: StackEnd(code: CFIC_STEP_NO_RULE.rawValue, reason: 2),
                addresses: [0x7f00_0000_1010]))
        made.add(
            MadeRecording.stack(
                [
                    Sample.Frame(0x1010, isExact: true),
                    Sample.Frame(0x2010, isGuessed: true, isUnchecked: true, isInferred: true),
                ],
                thread: "t\n", kernel: [0x1004], addresses: [0x7f00_0000_1010, 0x7f00_0000_2010]), count: 2)
        var recording = made.recording(lost: 4, lookups: 12, commandEnd: .killed(signal: 9))
        var counters = try recording.counters.get()
        (counters.missed, counters.unlisted, counters.lostProcessEvents) = (5, 6, 7)
        recording.counters = .success(counters)
        (recording.memory.evicted, recording.memory.evictions, recording.memory.reloads) = (1, 9, 8)
        recording.problems = ["a problem"]
        let found = try text(recording)
        let differing = zip(found.split(separator: "\n"), Self.expected.split(separator: "\n")).first { $0 != $1 }
        #expect(found == Self.expected, "\(String(describing: differing))")
    }

    @Test func waitsHaveNanoseconds() throws {
        var made = MadeRecording(mapping: ["/a"])
        let frame = Sample.Frame(0x1010, isExact: true)
        var waiting = MadeRecording.stack([frame], addresses: [0x1010])
        made.add(waiting, count: 3)
        waiting.isWaiting = true
        for length in [5e9, 2.5e9] { made.stacks.add(waiting, waited: length) }
        var recording = made.recording()
        (recording.includesWaits, recording.frequency) = (true, 100)
        let found = try text(recording).split(separator: "\n").map { $0.drop { $0 == " " } }
        #expect(found.contains("\"waits\" : 2") && found.contains("\"waitedNanoseconds\" : 7500000000,"))
        #expect(found.contains("\"samples\" : 5,"))
        // Waits first, because they took more time. Each running sample stands for a hundredth of a second.
        let fields = found.filter { $0.hasPrefix("\"nanoseconds\"") || $0.hasPrefix("\"isWaiting\"") }
        #expect(
            fields == [
                "\"isWaiting\" : true,", "\"nanoseconds\" : 7500000000,", "\"isWaiting\" : false,",
                "\"nanoseconds\" : 30000000,",
            ])
        recording.event = nil
        #expect(try text(recording).contains("\"event\" : \"off-cpu\""))
    }

    private static let expected = """
        {
          "commandProblem" : "the command was killed by signal 9",
          "completeStacks" : 0,
          "ends" : {
            "end-of-stack" : 2,
            "no-rule" : 1
          },
          "event" : "cycles",
          "evictedTables" : 1,
          "finishedFrameCount" : 0,
          "finishedStacks" : 0,
          "guessedStacks" : 2,
          "imagesWithoutTable" : {

          },
          "inferredFrameCount" : 0,
          "kernelFrameCount" : 2,
          "kernelMemoryBytes" : 4194304,
          "kernelMemoryUsedBytes" : 65536,
          "lookups" : 12,
          "lostProcessEvents" : 7,
          "lostSamples" : 4,
          "missedEvents" : 5,
          "problems" : [
            "a problem"
          ],
          "refusedProcesses" : 6,
          "samples" : 3,
          "schema" : "profile",
          "schemaVersion" : 1,
          "seconds" : 1.5,
          "stacks" : [
            {
              "end" : "end-of-stack",
              "frames" : [
                {
                  "address" : "0x7f0000001010",
                  "function" : "[a]",
                  "isExact" : true,
                  "isFinished" : false,
                  "isGuessed" : false,
                  "isInferred" : false,
                  "isUnchecked" : false
                },
                {
                  "address" : "0x7f0000002010",
                  "function" : "[b\\u001b]",
                  "isExact" : false,
                  "isFinished" : false,
                  "isGuessed" : true,
                  "isInferred" : true,
                  "isUnchecked" : true
                }
              ],
              "isComplete" : false,
              "isWaiting" : false,
              "kernelFrames" : [
                {
                  "address" : "0x1004",
                  "function" : "schedule"
                }
              ],
              "outcome" : "guessed",
              "process" : 7,
              "samples" : 2,
              "thread" : "t\\n"
            },
            {
              "end" : "no-rule",
              "frames" : [
                {
                  "address" : "0x7f0000001010",
                  "function" : "[a]",
                  "isExact" : true,
                  "isFinished" : false,
                  "isGuessed" : false,
                  "isInferred" : false,
                  "isUnchecked" : false
                }
              ],
              "isComplete" : false,
              "isWaiting" : false,
              "kernelFrames" : [
        EMPTY
              ],
              "outcome" : "truncated",
              "process" : 7,
              "reason" : "bad-fde",
              "samples" : 1,
              "thread" : "thread"
            }
          ],
          "tableEvictions" : 9,
          "tableReloads" : 8,
          "tables" : 3,
          "userFrameCount" : 5
        }

        """
        .replacing("EMPTY", with: "    ")

    /// Stacks of one process that are printed the same are merged.
    @Test func stacksThatReadTheSameAreOne() throws {
        var made = MadeRecording(mapping: ["/a"])
        let stack = MadeRecording.stack([Sample.Frame(0x1010, isExact: true)], addresses: [0x1010])
        made.add(stack, count: 2)
        made.add(stack, count: 3)
        let report = try text(made.recording())
        #expect(report.contains("\"samples\" : 5,\n      \"thread\"") && report.contains("\"seconds\" : 1.5"))
    }

    @Test func reportOfNothingHasAnEmptyList() throws {
        let report = try text(MadeRecording(mapping: []).recording())
        #expect(report.contains("  \"stacks\" : [\n\n  ],\n") && !report.contains("commandProblem"))
    }

    @Test func countersThatCannotBeReadAreAnError() throws {
        var recording = MadeRecording(mapping: []).recording()
        recording.counters = .failure(.system("reading counters", errno: 5))
        let error = #expect(throws: KernelError.self) { try text(recording) }
        #expect(error?.description == "reading counters: Input/output error")
    }
}
