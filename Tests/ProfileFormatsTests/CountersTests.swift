import CUnwindTable
import Foundation
@testable import KernelUnwinder
@testable import Profile
@testable import ProfileFormats
import TableSupply
import Testing

/// Counters of a recording in both formats, byte for byte.
@Suite struct CountersTests {
    private static let empty: RecordingCounters = {
        let memory = KernelUnwinder.MemoryUse(
            budget: 268_435_456, mapped: 4_194_304, used: 65_536, tables: 5, evicted: 2, fileBytes: 50_000,
            evictions: 8,
            reloads: 6, refusals: 4)
        return RecordingCounters(elapsed: .zero, kernel: Counters(), memory: memory)
    }()

    private static let full: RecordingCounters = {
        var counters = empty
        counters.elapsed = .milliseconds(12_500)
        (counters.kernel.samples, counters.kernel.lost, counters.kernel.missed) = (100, 3, 2)
        (counters.kernel.kernelFrames, counters.kernel.userFrames, counters.kernel.guessedFrames) = (50, 900, 40)
        counters.kernel.inferredFrames = 25
        (counters.kernel.complete, counters.kernel.guessed) = (80, 5)
        (counters.kernel.lookups, counters.kernel.mappingLookups) = (850, 120)
        (counters.kernel.stackReads, counters.kernel.otherReads) = (300, 17)
        (counters.kernel.snapshots, counters.kernel.lostSnapshots) = (9, 1)
        counters.kernel.ends[Int(CFIC_STEP_END_OF_STACK.rawValue)] = 85
        counters.kernel.ends[Int(CFIC_STEP_NO_PROCESS.rawValue)] = 15
        (counters.finished.stacks, counters.finished.frames) = (4, 60)
        counters.pendingTables = 1
        (counters.sampleRingBytes, counters.snapshotRingBytes) = (1_048_576, 16_777_216)
        counters.residentBytes = 52_428_800
        (counters.knownProcesses, counters.unknownProcesses) = (7, 2)
        counters.kernel.unlisted = 6
        counters.kernel.lostProcessEvents = 11
        var answers = SupplyAnswers()
        (answers.found, answers.made, answers.refused) = (20, 5, 1)
        counters.tableAnswers = answers
        var waits = RecordingCounters.Waits()
        (waits.samples, waits.nanoseconds) = (30, 2.25e9)
        counters.waits = waits
        var audit = RecordingCounters.Audit(agreeingStacks: 7, disagreeingStacks: 1)
        (audit.frames, audit.finishedFrames) = (
            .init(agreeing: 79, disagreeing: 1), .init(agreeing: 15, disagreeing: 5)
        )
        counters.audit = audit
        return counters
    }()

    @Test func prometheusText() throws {
        #expect(try CountersFormat.prometheus.text(Self.full) == Self.prometheus)
    }

    @Test func json() throws { #expect(try CountersFormat.json.text(Self.full) == Self.json) }

    /// What isn't measured is left out, rather than 0.
    @Test func absentCountersAreLeftOut() throws {
        let text = try CountersFormat.prometheus.text(Self.empty)
        for name in ["wait", "table_requests", "resident", "audit", "stack_ends_total{"] {
            #expect(!text.contains("cfic_\(name)"), "\(name)")
        }
        #expect(text.contains("\ncfic_samples_total 0\n"))
        let json = try CountersFormat.json.text(Self.empty)
        for key in ["wait", "tableRequests", "residentBytes", "audit"] { #expect(!json.contains("\"\(key)"), "\(key)") }
    }

    @Test func groupsAddUp() {
        let groups = CounterGroups(Self.full)
        #expect(groups.stacks.reduce(0) { $0 + $1.number } == 100)
        #expect(groups.ends.reduce(0) { $0 + $1.number } == 100)
        #expect(groups.frames.reduce(0) { $0 + $1.number } == 50 + 900 + 60)
    }

    @Test func formatIsThatOfTheFilesName() {
        #expect(CountersFormat(path: "a.json") == .json && CountersFormat(path: "/a/cfic.prom") == .prometheus)
        for path in ["", "json", "a.txt", "a.json.new"] { #expect(CountersFormat(path: path) == nil) }
    }

    /// The format's rules: a name is described once, before its samples, which are together; counters end in `_total`.
    @Test func textIsInTheExpositionFormat() throws {
        var described: Set<Substring> = []
        var current: Substring = ""
        for line in try CountersFormat.prometheus.text(Self.full).split(separator: "\n") {
            if let help = line.wholeMatch(of: /# HELP ([a-z_]+) [A-Z].*\./) {
                #expect(described.insert(help.1).inserted)
                current = help.1
            } else if let type = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge)/) {
                #expect(type.1 == current && type.1.hasSuffix("_total") == (type.2 == "counter"))
            } else {
                let sample = try #require(line.wholeMatch(of: /([a-z_]+)(\{[a-z]+="[a-z-]+"\})? [0-9.e+-]+/), "\(line)")
                #expect(sample.1 == current)
            }
        }
    }

    /// docs/counters.md has a row for each, with the JSON document's key.
    @Test func everyCounterIsDocumented() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = try String(contentsOfFile: root + "/docs/counters.md", encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `cfic_") }.map {
            $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let names = try CountersFormat.prometheus.text(Self.full).split(separator: "\n")
            .compactMap { $0.wholeMatch(of: /# TYPE ([a-z_]+) .*/).map { "`\($0.1)`" } }
        #expect(rows.map { $0[0] } == names)
        let json = try JSONSerialization.jsonObject(with: Data(CountersFormat.json.text(Self.full).utf8))
        let keys = try #require(json as? [String: Any]).keys.filter { !$0.hasPrefix("schema") }.sorted()
        let documented = rows.flatMap { $0[2].matches(of: /`([A-Za-z]+)(\.[A-Za-z]+)?`/).map { String($0.1) } }
        #expect(Set(documented).sorted() == keys)
    }

    private static let prometheus = """
        # HELP cfic_sampling_seconds_total Time since sampling began.
        # TYPE cfic_sampling_seconds_total counter
        cfic_sampling_seconds_total 12.5
        # HELP cfic_samples_total Samples that were taken, including lost ones.
        # TYPE cfic_samples_total counter
        cfic_samples_total 100
        # HELP cfic_samples_lost_total Samples for which the ring buffer had no room.
        # TYPE cfic_samples_lost_total counter
        cfic_samples_lost_total 3
        # HELP cfic_events_missed_total Hits of a tracepoint inside of another BPF program.
        # TYPE cfic_events_missed_total counter
        cfic_events_missed_total 2
        # HELP cfic_process_events_lost_total Events of processes for which the kernel had no room.
        # TYPE cfic_process_events_lost_total counter
        cfic_process_events_lost_total 11
        # HELP cfic_snapshots_total Snapshots of registers and stack that were given out.
        # TYPE cfic_snapshots_total counter
        cfic_snapshots_total 9
        # HELP cfic_snapshots_lost_total Snapshots for which the ring buffer had no room.
        # TYPE cfic_snapshots_lost_total counter
        cfic_snapshots_lost_total 1
        # HELP cfic_stacks_total Samples by what the kernel found of their stack.
        # TYPE cfic_stacks_total counter
        cfic_stacks_total{outcome="complete"} 80
        cfic_stacks_total{outcome="guessed"} 5
        cfic_stacks_total{outcome="truncated"} 15
        # HELP cfic_stack_ends_total Samples by how the kernel's walk ended.
        # TYPE cfic_stack_ends_total counter
        cfic_stack_ends_total{end="end-of-stack"} 85
        cfic_stack_ends_total{end="no-process"} 15
        # HELP cfic_frames_total Frames of all samples.
        # TYPE cfic_frames_total counter
        cfic_frames_total{kind="kernel"} 50
        cfic_frames_total{kind="by-rules"} 835
        cfic_frames_total{kind="inferred"} 25
        cfic_frames_total{kind="guessed"} 40
        cfic_frames_total{kind="finished"} 60
        # HELP cfic_stacks_finished_total Stacks that were finished in user space.
        # TYPE cfic_stacks_finished_total counter
        cfic_stacks_finished_total 4
        # HELP cfic_waits_total Samples of waits that have ended.
        # TYPE cfic_waits_total counter
        cfic_waits_total 30
        # HELP cfic_wait_seconds_total How long all threads waited, estimated.
        # TYPE cfic_wait_seconds_total counter
        cfic_wait_seconds_total 2.25
        # HELP cfic_lookups_total Lookups in tables and in mappings.
        # TYPE cfic_lookups_total counter
        cfic_lookups_total{of="rule"} 850
        cfic_lookups_total{of="mapping"} 120
        # HELP cfic_memory_reads_total Reads of user memory.
        # TYPE cfic_memory_reads_total counter
        cfic_memory_reads_total{kind="window"} 300
        cfic_memory_reads_total{kind="other"} 17
        # HELP cfic_table_requests_total Requests for an image's table.
        # TYPE cfic_table_requests_total counter
        cfic_table_requests_total{outcome="cached"} 20
        cfic_table_requests_total{outcome="compiled"} 5
        cfic_table_requests_total{outcome="refused"} 1
        # HELP cfic_tables Tables that processes need, by where they are.
        # TYPE cfic_tables gauge
        cfic_tables{state="loaded"} 3
        cfic_tables{state="evicted"} 2
        cfic_tables{state="pending"} 1
        # HELP cfic_table_evictions_total How often a table was evicted.
        # TYPE cfic_table_evictions_total counter
        cfic_table_evictions_total 8
        # HELP cfic_table_reloads_total How often an evicted table came back.
        # TYPE cfic_table_reloads_total counter
        cfic_table_reloads_total 6
        # HELP cfic_table_memory_refusals_total How often the kernel gave no memory.
        # TYPE cfic_table_memory_refusals_total counter
        cfic_table_memory_refusals_total 4
        # HELP cfic_table_memory_used_bytes Kernel memory in use for tables and mappings.
        # TYPE cfic_table_memory_used_bytes gauge
        cfic_table_memory_used_bytes 65536
        # HELP cfic_table_memory_bytes Kernel memory allocated for tables and mappings.
        # TYPE cfic_table_memory_bytes gauge
        cfic_table_memory_bytes 4194304
        # HELP cfic_table_memory_limit_bytes The most that may be allocated for them.
        # TYPE cfic_table_memory_limit_bytes gauge
        cfic_table_memory_limit_bytes 268435456
        # HELP cfic_ring_buffer_bytes Sizes of the ring buffers.
        # TYPE cfic_ring_buffer_bytes gauge
        cfic_ring_buffer_bytes{of="samples"} 1048576
        cfic_ring_buffer_bytes{of="snapshots"} 16777216
        # HELP cfic_resident_memory_bytes Resident memory of cfic in user space.
        # TYPE cfic_resident_memory_bytes gauge
        cfic_resident_memory_bytes 52428800
        # HELP cfic_processes Sampled processes, by whether their mappings are known.
        # TYPE cfic_processes gauge
        cfic_processes{mappings="known"} 7
        cfic_processes{mappings="unknown"} 2
        # HELP cfic_processes_refused_total New processes beyond the limit, not sampled.
        # TYPE cfic_processes_refused_total counter
        cfic_processes_refused_total 6
        # HELP cfic_audit_stacks_total Compared stacks.
        # TYPE cfic_audit_stacks_total counter
        cfic_audit_stacks_total{result="agrees"} 7
        cfic_audit_stacks_total{result="disagrees"} 1
        # HELP cfic_audit_frames_total Compared frames.
        # TYPE cfic_audit_frames_total counter
        cfic_audit_frames_total{result="agrees"} 79
        cfic_audit_frames_total{result="disagrees"} 1
        # HELP cfic_audit_finished_frames_total Compared frames that were found in user space.
        # TYPE cfic_audit_finished_frames_total counter
        cfic_audit_finished_frames_total{result="agrees"} 15
        cfic_audit_finished_frames_total{result="disagrees"} 5

        """

    private static let json = """
        {
          "audit" : {
            "agreeingFinishedFrames" : 15,
            "agreeingFrames" : 79,
            "agreeingStacks" : 7,
            "agreement" : 98.75,
            "disagreeingFinishedFrames" : 5,
            "disagreeingFrames" : 1,
            "disagreeingStacks" : 1,
            "finishedAgreement" : 75
          },
          "ends" : {
            "end-of-stack" : 85,
            "no-process" : 15
          },
          "finishedStacks" : 4,
          "frames" : {
            "by-rules" : 835,
            "finished" : 60,
            "guessed" : 40,
            "inferred" : 25,
            "kernel" : 50
          },
          "lookups" : {
            "mapping" : 120,
            "rule" : 850
          },
          "lostProcessEvents" : 11,
          "lostSamples" : 3,
          "lostSnapshots" : 1,
          "missedEvents" : 2,
          "processes" : {
            "known" : 7,
            "unknown" : 2
          },
          "reads" : {
            "other" : 17,
            "window" : 300
          },
          "refusedProcesses" : 6,
          "residentBytes" : 52428800,
          "sampleRingBytes" : 1048576,
          "samples" : 100,
          "schema" : "counters",
          "schemaVersion" : 1,
          "seconds" : 12.5,
          "snapshotRingBytes" : 16777216,
          "snapshots" : 9,
          "stacks" : {
            "complete" : 80,
            "guessed" : 5,
            "truncated" : 15
          },
          "tableEvictions" : 8,
          "tableMemoryBytes" : 4194304,
          "tableMemoryLimitBytes" : 268435456,
          "tableMemoryRefusals" : 4,
          "tableMemoryUsedBytes" : 65536,
          "tableReloads" : 6,
          "tableRequests" : {
            "cached" : 20,
            "compiled" : 5,
            "refused" : 1
          },
          "tables" : {
            "evicted" : 2,
            "loaded" : 3,
            "pending" : 1
          },
          "waitedSeconds" : 2.25,
          "waits" : 30
        }

        """
}
