import ProfileFormats
@testable import ProfileService
import Testing

/// Profiles of parts of a recording, without a kernel and a clock.
@Suite struct IntervalRequestTests {
    private var fed = FedIntervals()
    private let received = Received()

    /// - Returns: how many intervals were named.
    @discardableResult
    private func name(_ fed: FedIntervals) -> Int {
        var count = 0
        fed.requests.nameAll {
            count += 1
            return FedIntervals.named($0)
        }
        return count
    }

    @Test mutating func requestGetsWhatIsRecordedFromThenOn() {
        fed.second(1000)
        fed.requests.request(.seconds(3), received.take)
        // What was recorded before is cut off at once, and the end is on time.
        let cuts = [100, 10, 20, 30, 1000].map { fed.second($0) }
        #expect(cuts == [true, false, false, true, false])
        fed.end(1000)
        name(fed)
        #expect(received.samples == [30] && received.all[0]?.began == 1_000_000_000)
    }

    /// The intervals between are divided where another request begins or ends.
    @Test mutating func overlappingRequestsShareIntervals() {
        let other = Received()
        fed.requests.request(.seconds(4), received.take)
        fed.second(1000)
        fed.second(1)
        fed.requests.request(.seconds(1), other.take)
        fed.second(2)
        fed.second(4)
        fed.second(8)
        fed.end(1000)
        // What is of no request isn't named.
        #expect(name(fed) == 3)
        #expect(received.samples == [2 + 4 + 8] && other.samples == [4])
    }

    @Test mutating func longRequestsAreCutIntoIntervals() {
        fed.requests.request(.seconds(25), received.take)
        let cuts = (0...26).map { _ in fed.second(1) }
        #expect(cuts.indices.filter { cuts[$0] } == [0, 10, 20, 25])
        fed.end()
        name(fed)
        #expect(received.samples == [3])
        #expect(received.all[0]?.profile.seconds == 3)
    }

    /// Memory would grow, or names be looked up for nothing.
    @Test mutating func whatNobodyAskedForIsDropped() {
        let cuts = (1...30).count { _ in fed.second(5) }
        #expect(cuts == 3)
        fed.end()
        #expect(name(fed) == 0)
    }

    @Test mutating func repeatedRequestsHaveNoGaps() {
        fed.requests.request(every: .seconds(2), received.take)
        fed.second(1000)
        for samples in [0, 1, 0, 2, 0, 4, 0] { fed.second(samples) }
        fed.end(8)
        name(fed)
        // The last one is shorter, and then there are none.
        #expect(received.samples == [1, 2, 4, 8, nil])
    }

    /// After a delay the missed ones are not made up for.
    @Test mutating func delayedRequestsDoNotCatchUp() {
        fed.requests.request(every: .seconds(1), received.take)
        fed.second(1000)
        fed.requests.take(FedIntervals.interval(7), at: fed.now + .seconds(100), isLast: false)
        #expect(!fed.requests.isIntervalOver(at: fed.now + .seconds(100.5)))
        #expect(fed.requests.isIntervalOver(at: fed.now + .seconds(101)))
        fed.end(1)
        name(fed)
        #expect(received.samples == [7, 1, nil])
    }

    @Test mutating func cancelledRequestsGetNothing() {
        let request = fed.requests.request(.seconds(1), received.take)
        let other = fed.requests.request(.seconds(2), received.take)
        fed.second(1000)
        fed.requests.cancel(request)
        fed.second(1)
        fed.second(2)
        fed.requests.cancel(other)
        fed.end(1000)
        #expect(name(fed) == 0 && received.all.isEmpty)
    }

    @Test mutating func requestsAtTheEndGetWhatThereIs() {
        fed.requests.request(.seconds(100), received.take)
        fed.second(1000)
        fed.requests.request(.seconds(100), received.take)
        fed.end(3)
        fed.requests.request(.seconds(1), received.take)
        name(fed)
        // One after the end, one that began, one that never began.
        #expect(received.samples == [nil, 3, nil])
    }

    /// Naming may take longer than recording.
    @Test mutating func intervalsThatAreNotNamedInTimeAreDroppedAndCounted() {
        fed = FedIntervals(longest: .seconds(1), jobLimit: 2)
        fed.requests.request(.seconds(5), received.take)
        fed.second(1000)
        for samples in [1, 2, 4, 8, 16] { fed.second(samples, lost: 100) }
        fed.end(1000)
        #expect(fed.requests.droppedIntervals == 3)
        #expect(name(fed) == 2)
        #expect(received.samples == [8 + 16])
        #expect(received.all[0]?.profile.lostSamples == 5 * 100 + 1 + 2 + 4)
    }

    /// Profiles of intervals have numbers of their own for names, modules, frames and nodes.
    @Test func profilesAreAdded() {
        func profile(_ threads: [(String, [String])]) -> NamedProfile {
            var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1)
            for (thread, frames) in threads {
                var node: UInt32 = 0
                for frame in frames {
                    let name = profile.name(frame)
                    let module = profile.number(of: .init(path: profile.name("/" + frame), buildID: profile.name("ab")))
                    let number = profile.number(
                        of: .init(function: name, symbol: name, module: module, address: 16, file: profile.noName))
                    node = profile.node(of: number, calledFrom: node)
                }
                profile.add(
                    .init(
                        node: node, process: 1, thread: profile.name(thread), cgroup: profile.noName, isWaiting: false,
                        end: profile.name("end-of-stack"), outcome: .complete), .init(samples: 1, total: 2))
            }
            return profile
        }
        func text(_ profile: NamedProfile) -> [String] {
            profile.stacks.map { stack, weight in
                let frames = profile.frames(from: stack.node).map { frame in
                    profile.names[frame.function] + "@" + profile.names[profile.modules[Int(frame.module ?? 0)].path]
                }
                return
                    "\(profile.names[stack.thread]) \(frames) \(profile.names[stack.end]) \(weight.samples) \(weight.total)"
            }
        }
        var sum = profile([("one", ["main", "a"]), ("two", ["main"])])
        sum.add(profile([("three", ["start", "main", "a"]), ("one", ["main", "a"]), ("two", [])]))
        let all = profile([
            ("one", ["main", "a"]), ("two", ["main"]), ("three", ["start", "main", "a"]), ("one", ["main", "a"]),
            ("two", []),
        ])
        #expect(text(sum) == text(all))
        #expect(sum.seconds == 2 && sum.frames.count == all.frames.count && sum.nodes.count == all.nodes.count)
    }
}
