@testable import LinuxProcess
import Testing

/// Which CPUs' events have to be opened anew.
@Suite struct CPUWatchTests {
    private static let second: UInt64 = 1_000_000_000
    private static let start: UInt64 = 5_000_000_000

    @Test func itLooksOnceASecond() {
        var watch = CPUWatch(at: Self.start)
        #expect(!watch.isDue(at: Self.start + Self.second - 1) && watch.isDue(at: Self.start + Self.second))
        watch.look(at: Self.start + Self.second, [0], online: [0]) { _ in 0 }
        #expect(!watch.isDue(at: Self.start + 2 * Self.second - 1) && watch.isDue(at: Self.start + 2 * Self.second))
    }

    @Test func eventsOfACPUThatIsOfflineHaveEnded() {
        var watch = CPUWatch(at: Self.start)
        watch.look(at: Self.start + Self.second, [0, 1, 2], online: [0, 2, 3]) { _ in 0 }
        #expect(watch.ended == [1] && watch.online == [0, 2, 3])
    }

    /// It was offline between two looks at the list.
    @Test func eventWhoseTimeStandsStillHasEnded() {
        var watch = CPUWatch(at: Self.start)
        var asked: [Int32] = []
        func look(after seconds: UInt64, _ times: [Int32: UInt64]) {
            watch.look(at: Self.start + seconds * Self.second, [0, 1], online: [0, 1]) { cpu in
                asked.append(cpu)
                return times[cpu] ?? 0
            }
        }
        look(after: 9, [:])
        #expect(asked == [] && watch.ended == [])
        look(after: 10, [0: 10, 1: 10])
        #expect(asked == [0, 1] && watch.ended == [])
        look(after: 20, [0: 20, 1: 12])
        #expect(watch.ended == [])
        look(after: 30, [0: 30, 1: 12])
        #expect(watch.ended == [1])
        // A new event's time begins again.
        watch.noteOpened(1)
        look(after: 40, [0: 40, 1: 12])
        #expect(watch.ended == [])
    }
}
