@testable import Profile
import Testing

struct NewcomersTests {
    @Test func thoseWithMostSamplesComeFirst() {
        var newcomers = Newcomers()
        for process: Int32 in [7, 5, 9, 5, 9, 9, 8] { newcomers.note(process) }
        #expect(newcomers.next() == 9)
        newcomers.note(8)
        newcomers.note(8)
        #expect(newcomers.next() == 8)
        #expect(newcomers.next() == 5)
        #expect(newcomers.next() == 7)
        #expect(newcomers.next() == nil)
        // Of equal ones, the order is always the same.
        for process: Int32 in [3, 2, 4] { newcomers.note(process) }
        #expect([newcomers.next(), newcomers.next(), newcomers.next()] == [2, 3, 4])
    }

    /// There may be no room for it, and it may be sampled a hundred times a second.
    @Test func thoseThatWereRefusedAreLeftAloneForAWhile() {
        var newcomers = Newcomers()
        let now = 5 * Newcomers.pause
        newcomers.beginRound(at: now)
        newcomers.refuse(7)
        for process: Int32 in [7, 8, 7] { newcomers.note(process) }
        #expect(newcomers.count == 1 && newcomers.next() == 8 && newcomers.next() == nil)
        newcomers.beginRound(at: now + Newcomers.pause - 1)
        newcomers.note(7)
        #expect(newcomers.next() == nil)
        newcomers.beginRound(at: now + Newcomers.pause)
        newcomers.note(7)
        #expect(newcomers.next() == 7)
    }

    @Test func nextProcessWithTheIDOfARefusedOneIsNew() {
        var newcomers = Newcomers()
        for process: Int32 in [7, 8] { newcomers.refuse(process) }
        newcomers.forget(7)
        for process: Int32 in [7, 8] { newcomers.note(process) }
        #expect(newcomers.next() == 7 && newcomers.next() == nil)
    }
}
