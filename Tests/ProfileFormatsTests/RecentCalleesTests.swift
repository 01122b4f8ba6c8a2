@testable import ProfileFormats
import Testing

@Suite struct RecentCalleesTests {
    /// The same, plainly.
    private struct Lists {
        var lists: [Int: [UInt32]] = [:]

        mutating func place(of callee: UInt32, calledFrom caller: Int) -> Int? {
            guard let index = lists[caller]?.firstIndex(of: callee) else { return nil }
            lists[caller]?.remove(at: index)
            add(callee, calledFrom: caller)
            return index + 1
        }

        mutating func add(_ callee: UInt32, calledFrom caller: Int) {
            lists[caller] = Array(([callee] + lists[caller, default: []]).prefix(16))
        }
    }

    @Test func placesAreThoseInAList() {
        var random = MadeUpProfile.Generator(seed: 4), recent = RecentCallees(), read = RecentCallees(), lists = Lists()
        var hits = 0
        for _ in 0..<20_000 {
            let caller = Int.random(in: 0..<40, using: &random)
            // The first callers have few callees, the last ones more than have places.
            let callee = UInt32.random(in: 0...UInt32(caller), using: &random)
            let place = recent.place(of: callee, calledFrom: caller)
            #expect(place == lists.place(of: callee, calledFrom: caller))
            if let place {
                hits += 1
                #expect(read.callee(at: place, calledFrom: caller) == callee)
            } else {
                recent.add(callee, calledFrom: caller)
                read.add(callee, calledFrom: caller)
                lists.add(callee, calledFrom: caller)
            }
        }
        #expect(hits > 10_000 && hits < 19_000)
        #expect(recent.callee(at: 17, calledFrom: 39) == nil && recent.callee(at: 0, calledFrom: 39) == nil)
        #expect(recent.callee(at: 1, calledFrom: 40) == nil)
    }
}
