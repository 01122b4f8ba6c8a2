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
    }
}
