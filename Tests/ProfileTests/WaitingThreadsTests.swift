@testable import KernelUnwinder
@testable import Profile
import Symbols
import Testing

/// Waits between their samples and their ends.
@Suite struct WaitingThreadsTests {
    /// The numbers of two stacks.
    private let stack: Stacks.Number, later: Stacks.Number

    init() {
        var stacks = Stacks()
        func number(_ command: String) -> Stacks.Number {
            stacks.number(
                of: Stacks.Stack(
                    space: AddressSpace(process: 1), command: command, isWaiting: true, kernelFrames: [],
                    userFrames: [], end: StackEnd(code: 1)))
        }
        (stack, later) = (number("thread"), number("later"))
    }

    private func begun(_ time: UInt64, _ stack: Stacks.Number? = nil) -> WaitingThreads.Begun {
        WaitingThreads.Begun(time: time, share: 1, cpu: 0, stack: stack ?? self.stack)
    }

    private func end(_ thread: Int32, _ began: UInt64) -> Wait { Wait(thread: thread, began: began, length: 5) }

    @Test func waitEndsOnce() {
        var threads = WaitingThreads()
        threads.begin(7, begun(100))
        #expect(threads.end(end(7, 99)) == nil)
        #expect(threads.end(end(8, 100)) == nil)
        #expect(threads.end(end(7, 100))?.time == 100)
        #expect(threads.end(end(7, 100)) == nil)
    }

    @Test func waitWhoseEndWasLostIsReplacedByTheNextOne() {
        var threads = WaitingThreads()
        threads.begin(7, begun(100))
        threads.begin(7, begun(200, later))
        #expect(threads.end(end(7, 100)) == nil)
        #expect(threads.end(end(7, 200))?.stack == later)
    }

    @Test func waitsThatHaveNotEndedAreToldByTheKernel() {
        var threads = WaitingThreads()
        for thread in 1...4 { threads.begin(Int32(thread), begun(UInt64(thread))) }
        let unended = threads.takeUnended { thread, since in thread == Int32(since) && thread > 2 }
        #expect(Set(unended.map(\.wait.time)) == [3, 4] && unended.allSatisfy { Int32($0.wait.time) == $0.thread })
        #expect(threads.takeUnended { _, _ in true }.isEmpty)
    }

    /// A short wait has no end, and its thread may be gone.
    @Test func threadsThatAreGoneAreForgotten() {
        var threads = WaitingThreads()
        var asked = 0
        for thread in 1...10_000 as ClosedRange<Int32> {
            threads.begin(thread, begun(1))
            threads.forgetEnded { thread, _ in
                asked += 1
                return thread <= 10
            }
        }
        // Not for every wait.
        #expect(asked < 30_000)
        #expect(threads.takeUnended { _, _ in true }.count < 1024)
    }

    @Test func waitsThatGoOnAreRarelyAskedFor() {
        var threads = WaitingThreads()
        var asked = 0
        for thread in 1...10_000 as ClosedRange<Int32> {
            threads.begin(thread, begun(1))
            threads.forgetEnded { _, _ in
                asked += 1
                return true
            }
        }
        #expect(asked == 1024 + 2048 + 4096 + 8192)
        #expect(threads.takeUnended { _, _ in true }.count == 10_000)
    }

    /// Stacks become equal when their files are closed.
    @Test func stacksOfWaitsAreRenumbered() {
        var threads = WaitingThreads()
        threads.begin(7, begun(100))
        threads.renumber { $0 == stack ? later : $0 }
        #expect(threads.end(end(7, 100))?.stack == later)
    }

    @Test func framesOfTheTracepointAreCutOff() {
        let kernel = KernelSymbols(
            text: Array("1000 t bpf_prog\n2000 T __schedule\n3000 T schedule\n4000 T do_nanosleep\n".utf8))
        var scheduler = SchedulerFrames(kernel)
        for _ in 0..<2 {
            var frames: [UInt64] = [0x1010, 0x1020, 0x2030, 0x3040, 0x4050]
            scheduler.cut(&frames)
            #expect(frames == [0x2030, 0x3040, 0x4050])
        }
        var others: [UInt64] = [0x1010, 0x4050]
        scheduler.cut(&others)
        #expect(others == [0x1010, 0x4050])
    }
}
