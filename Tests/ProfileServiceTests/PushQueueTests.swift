import CCurl
import Foundation
@testable import ProfileService
import Testing

/// Profiles that wait to be pushed, without a server and a clock.
@Suite(.timeLimit(.minutes(30))) struct PushQueueTests {
    private func message(_ name: String, bytes: Int = 10) -> PushMessage {
        PushMessage(url: name, headers: [], body: [UInt8](repeating: 0, count: bytes))
    }

    /// Sends all, on a thread; the queue is closed.
    private final class Sending {
        private let log = Monitor<[String]>([])
        private let thread: ServiceThread
        var sent: [String] { log.withLock { $0 } }

        /// - Parameter outcome: of each attempt, by its number.
        init(_ queue: PushQueue, _ outcome: @escaping @Sendable (Int) -> PushOutcome) throws {
            let log = log
            thread = try ServiceThread {
                var number = 0
                queue.sendAll(
                    by: { message in
                        log.withLock { $0.append(message.url) }
                        defer { number += 1 }
                        return outcome(number)
                    }, pause: { _, _ in .zero }, note: { _, _ in })
            }
        }

        func waitFor(_ count: Int) { _ = log.wait { $0.count >= count ? true : nil } }
        func join() { thread.join() }
    }

    @Test func failuresAreRepeatedInOrder() throws {
        let queue = PushQueue(target: "t")
        for name in ["a", "b"] { queue.add(message(name)) }
        let sending = try Sending(queue) { [0, 1, 3].contains($0) ? .failed("down", wait: nil) : .delivered }
        sending.waitFor(5)
        queue.close()
        sending.join()
        #expect(sending.sent == ["a", "a", "a", "b", "b"])
        #expect(queue.counters == PushCounters(target: "t", delivered: 2, failures: 3))
    }

    @Test func whatIsRefusedIsNotRepeated() throws {
        let queue = PushQueue(target: "t")
        for name in ["a", "b"] { queue.add(message(name)) }
        let sending = try Sending(queue) { $0 == 0 ? .refused("no") : .delivered }
        sending.waitFor(2)
        queue.close()
        sending.join()
        #expect(sending.sent == ["a", "b"])
        #expect(queue.counters == PushCounters(target: "t", delivered: 1, refused: 1))
    }

    /// A server's answer that it took the request is final, also if it left the profile out.
    @Test func whatTheServerSaysIsCounted() throws {
        let queue = PushQueue(target: "t")
        for name in ["a", "b", "c"] { queue.add(message(name)) }
        let sending = try Sending(queue) { [.rejected("no"), .warned("old"), .delivered][$0] }
        sending.waitFor(3)
        queue.close()
        sending.join()
        #expect(sending.sent == ["a", "b", "c"])
        #expect(queue.counters == PushCounters(target: "t", delivered: 2, rejected: 1, warnings: 1))
    }

    @Test func oldestAreDroppedAndCountedWhenThereIsNoRoom() throws {
        let queue = PushQueue(target: "t", byteLimit: 30)
        for name in ["a", "b", "c", "d"] { queue.add(message(name)) }
        #expect(queue.counters == PushCounters(target: "t", dropped: 1, waitingBytes: 30))
        queue.add(message("e", bytes: 25))
        #expect(queue.counters == PushCounters(target: "t", dropped: 4, waitingBytes: 25))
        queue.add(message("huge", bytes: 31))
        #expect(queue.counters == PushCounters(target: "t", dropped: 6))
        queue.add(message("f"))
        let sending = try Sending(queue) { _ in .delivered }
        sending.waitFor(1)
        queue.close()
        sending.join()
        #expect(sending.sent == ["f"])
    }

    /// What is dropped while it is being sent is counted once.
    @Test func messageMayBeDroppedWhileItIsSent() throws {
        let queue = PushQueue(target: "t", byteLimit: 10)
        queue.add(message("a"))
        let next = message("b")
        let sending = try Sending(queue) { number in
            if number == 0 { queue.add(next) }
            return .failed("down", wait: nil)
        }
        sending.waitFor(2)
        queue.close()
        sending.join()
        #expect(sending.sent.prefix(2) == ["a", "b"])
        let counters = queue.counters
        #expect(counters.dropped == 2 && counters.delivered == 0 && counters.waitingBytes == 0)
    }

    /// A server that is down must not keep cfic from ending.
    @Test func atTheEndEachIsTriedOnce() throws {
        let queue = PushQueue(target: "t")
        for name in ["a", "b", "c"] { queue.add(message(name)) }
        queue.close()
        queue.add(message("late"))
        let sending = try Sending(queue) { $0 == 1 ? .delivered : .failed("down", wait: nil) }
        sending.join()
        #expect(sending.sent == ["a", "b", "c"])
        #expect(queue.counters == PushCounters(target: "t", delivered: 1, dropped: 3, failures: 2))
    }

    @Test func pausesGrow() {
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300)] {
            let pause = BackOff.pause(failures, asked: nil)
            #expect((Double(seconds) * 0.75...Double(seconds) * 1.25).contains(pause / .seconds(1)))
        }
        #expect(BackOff.pause(5, asked: .seconds(7)) == .seconds(7))
        #expect(BackOff.pause(5, asked: .seconds(100_000)) == .seconds(300))
    }

    @Test(arguments: [
        (200, true, false), (202, true, false), (204, true, false), (301, false, true), (400, false, true),
        (401, false, true), (408, false, false), (413, false, true), (429, false, false), (500, false, false),
        (503, false, false),
    ]) func statusesAreFinalOrNot(status: Int, isDelivered: Bool, isRefused: Bool) {
        var answer = http_answer()
        (answer.status, answer.retry_after) = (status, 5)
        switch Pusher.outcome(answer, .otlp) {
        case .delivered: #expect(isDelivered)
        case .warned, .rejected: Issue.record("nothing was said")
        case .refused(let problem): #expect(isRefused && problem == "status \(status)")
        case .failed(_, let wait): #expect(!isDelivered && !isRefused && wait == .seconds(5))
        }
    }

    /// A success of OTLP may be a partial one; other formats have none.
    @Test(arguments: [
        ([], PushOutcome.delivered), ([0x0a, 0], .delivered), ([0x0a, 2, 8, 0], .delivered),
        ([0x0a, 2, 8, 1], .rejected("without a reason")), ([0x0a, 4, 0x12, 2, 0x6f, 0x6b], .warned("ok")),
        ([0x0a, 6, 8, 3, 0x12, 2, 0x6e, 0x6f], .rejected("no")),
        (Array("OK\n".utf8), .warned("the answer is no ExportProfilesServiceResponse")),
        ([0x0a, 9, 8, 1], .warned("the answer is no ExportProfilesServiceResponse")),
    ]) func answersAreRead(body: [UInt8], expected: PushOutcome) {
        var bytes = body.map { CChar(bitPattern: $0) }
        bytes.withUnsafeMutableBufferPointer { bytes in
            var answer = http_answer()
            (answer.status, answer.body, answer.body_size) = (200, bytes.baseAddress, bytes.count)
            #expect(Pusher.outcome(answer, .otlp) == expected)
            #expect(Pusher.outcome(answer, .parca) == .delivered)
        }
    }

    /// Each is told once, and not too many that differ.
    @Test func remarksAreToldOnce() {
        let notes = Monitor<[String]>([])
        var note = PushNotes(target: "t") { text in notes.withLock { $0.append(text) } }
        let start = ContinuousClock.now
        for minute in 0..<5 {
            note.note(.warned("old"), 0, at: start + .seconds(60 * minute))
            note.note(.rejected("full"), 0, at: start + .seconds(60 * minute + 10))
        }
        #expect(
            notes.withLock { $0 } == ["t took a profile, with a warning: old", "t rejects a profile: full"])
        for number in 0..<100 { note.note(.warned("\(number)"), 0, at: start) }
        #expect(notes.withLock { $0 }.count == 10)
    }

    /// A server that is down for a day is no reason to fill a log.
    @Test func notesAreRare() {
        let notes = Monitor<[String]>([])
        var note = PushNotes(target: "t") { text in notes.withLock { $0.append(text) } }
        let start = ContinuousClock.now
        for second in 0..<150 { note.note(.failed("down", wait: nil), second + 1, at: start + .seconds(second)) }
        note.note(.delivered, 150, at: start + .seconds(150))
        note.note(.delivered, 0, at: start + .seconds(151))
        #expect(
            notes.withLock { $0 } == [
                "pushing to t failed, and is repeated: down", "pushing to t failed, and is repeated: down",
                "pushing to t failed, and is repeated: down", "pushing to t works again, after 150 failures",
            ])
    }
}
