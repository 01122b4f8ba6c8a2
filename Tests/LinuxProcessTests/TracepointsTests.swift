import Glibc
@testable import LinuxProcess
import TestFixtures
import Testing

/// Tracepoints, read from a directory like tracefs.
@Suite struct TracepointsTests {
    private let fixture: Fixture
    private var directory: String { fixture.directory }

    init() throws {
        fixture = try Fixture()
        try run(
            words: [
                "/bin/bash", "-c",
                """
                mkdir -p events/sched/sched_switch events/x-1/Y_2
                echo 318 > events/sched/sched_switch/id
                echo zero > events/x-1/Y_2/id
                printf 'x-1:Y_2\\nsched:sched_switch\\n' > available_events
                """,
            ], in: directory)
    }

    @Test func tracepointHasItsNumber() throws {
        let event = try Tracepoints(mountedAt: directory).event(named: "sched:sched_switch")
        #expect(event.name == "sched:sched_switch" && event.kind == .tracepoint)
        // PERF_TYPE_TRACEPOINT
        #expect(event.type == 2 && event.config == 318)
    }

    @Test func allAreListedByName() throws {
        #expect(try Tracepoints(mountedAt: directory).names() == ["sched:sched_switch", "x-1:Y_2"])
    }

    @Test func unknownOneIsAnError() throws {
        let tracepoints = try Tracepoints(mountedAt: directory)
        for name in ["sched:none", "none:none", "sched", "../x-1:Y_2", "x-1/Y_2:"] {
            #expect(throws: Tracepoints.Failure.unknown(name)) { try tracepoints.event(named: name) }
        }
        #expect(throws: Tracepoints.Failure.unreadable("events/x-1/Y_2/id", errno: EINVAL)) {
            try tracepoints.event(named: "x-1:Y_2")
        }
    }

    @Test func directoryWithoutEventsIsNotTracefs() throws {
        for path in ["/", "\(directory)/none"] {
            #expect(throws: Tracepoints.Failure.notMounted) { try Tracepoints(mountedAt: path) }
        }
    }

    @Test func namesHaveTwoParts() {
        for name in ["a:b", "syscalls:sys_enter_openat", "x-1:Y_2"] { #expect(Tracepoints.isName(name)) }
        for name in ["", "a", ":", "a:", ":b", "a:b:c", "a/b:c", "a:b.", "a :b", "ä:b"] {
            #expect(!Tracepoints.isName(name))
        }
    }

    /// Also where tracefs isn't mounted.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func kernelsOwnTracepointsAreFound() throws {
        let tracepoints = try Tracepoints()
        #expect(try tracepoints.names().contains("sched:sched_switch"))
        #expect(try tracepoints.event(named: "sched:sched_switch").config > 0)
    }
}

/// Events that aren't tracepoints.
@Suite struct SamplingEventTests {
    @Test func namesAreUnique() {
        let names = SamplingEvent.generic.flatMap { [$0.name] + $0.aliases }
        #expect(Set(names).count == names.count)
        #expect(Set(SamplingEvent.generic.map { "\($0.type) \($0.config)" }).count == SamplingEvent.generic.count)
    }

    @Test func aliasIsTheSameEvent() {
        #expect(SamplingEvent.generic(named: "cpu-cycles") == .cycles)
        #expect(SamplingEvent.generic(named: "cs")?.name == "context-switches")
        #expect(SamplingEvent.generic(named: "") == nil)
    }

    /// linux/perf_event.h
    @Test(
        arguments: [
            ("cycles", 0, 0), ("instructions", 0, 1), ("cache-misses", 0, 3), ("branch-misses", 0, 5),
            ("ref-cycles", 0, 9),
            ("cpu-clock", 1, 0), ("task-clock", 1, 1), ("page-faults", 1, 2), ("context-switches", 1, 3),
            ("cpu-migrations", 1, 4), ("minor-faults", 1, 5), ("major-faults", 1, 6), ("cgroup-switches", 1, 11),
        ] as [(String, UInt32, UInt64)])
    func eventIsTheKernels(name: String, type: UInt32, config: UInt64) throws {
        let event = try #require(SamplingEvent.generic(named: name))
        #expect(event.type == type && event.config == config)
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func everyMachineHasTheClock() throws {
        #expect(SamplingEvent.clock.isAvailable)
        #expect(SamplingEvent.best == (SamplingEvent.cycles.isAvailable ? .cycles : .clock))
    }
}
