@testable import KernelUnwinder
import Testing

/// How often a process with very many mappings is read.
struct ReadingPaceTests {
    private let millisecond: UInt64 = 1_000_000
    private final class Pace {
        private var pace = ReadingPace()

        func note(_ process: Int32, from began: UInt64, to ended: UInt64) { pace.note(process, from: began, to: ended) }
        func mustWait(_ process: Int32, at now: UInt64, event: UInt64) -> Bool {
            pace.mustWait(process, at: now, event: event)
        }
        func takeDue(at now: UInt64) -> [(process: Int32, event: UInt64)] { pace.takeDue(at: now) }
        func forget(_ process: Int32) { pace.forget(process) }
    }

    @Test func processThatIsReadFastIsReadAtOnce() {
        let pace = Pace()
        for turn in 0..<10 as Range<UInt64> {
            #expect(!pace.mustWait(1, at: turn * 10 * millisecond, event: turn))
            pace.note(1, from: turn * 10 * millisecond, to: (turn * 10 + 5) * millisecond)
        }
        #expect(pace.takeDue(at: .max).isEmpty)
    }

    @Test func processWhoseReadingTakesLongWaits() {
        let pace = Pace()
        pace.note(1, from: 0, to: 10 * millisecond)
        #expect(pace.mustWait(1, at: 10 * millisecond, event: 7))
        #expect(pace.mustWait(1, at: 209 * millisecond, event: 8))
        #expect(!pace.mustWait(2, at: 209 * millisecond, event: 8))
        #expect(pace.takeDue(at: 209 * millisecond).isEmpty)
        let due = pace.takeDue(at: 210 * millisecond)
        #expect(due.map(\.process) == [1] && due.map(\.event) == [8])
        #expect(pace.takeDue(at: 210 * millisecond).isEmpty)
        #expect(!pace.mustWait(1, at: 210 * millisecond, event: 9))
    }

    @Test func readingForAnotherReasonServesWhoeverWaits() {
        let pace = Pace()
        pace.note(1, from: 0, to: 10 * millisecond)
        #expect(pace.mustWait(1, at: 11 * millisecond, event: 7))
        pace.note(1, from: 12 * millisecond, to: 13 * millisecond)
        #expect(pace.takeDue(at: .max).isEmpty)
        // It doesn't take long any more.
        #expect(!pace.mustWait(1, at: 14 * millisecond, event: 8))
    }

    @Test func nextProcessWithTheIDDoesNotWait() {
        let pace = Pace()
        pace.note(1, from: 0, to: 10 * millisecond)
        #expect(pace.mustWait(1, at: 11 * millisecond, event: 7))
        pace.forget(1)
        #expect(pace.takeDue(at: .max).isEmpty && !pace.mustWait(1, at: 12 * millisecond, event: 8))
    }
}
