import Glibc
@testable import Profile
import Testing

/// What is done about signals, without any.
@Suite struct InterruptionStateTests {
    private func responses(_ phase: InterruptionState.Phase, _ count: Int) -> [SignalResponse] {
        var state = InterruptionState()
        state.phase = phase
        return (0..<count).map { _ in state.take(signal: SIGINT) }
    }

    @Test func signalEndsTheProcessAtOnceWhereNothingCanBeLost() {
        for phase in [.preparing, .finished] as [InterruptionState.Phase] {
            #expect(responses(phase, 2) == [.end(losesRecording: false), .end(losesRecording: false)])
        }
    }

    @Test func firstSignalStopsTheRecordingAndTheSecondLosesIt() {
        #expect(responses(.recording, 2) == [.stop, .end(losesRecording: true)])
    }

    @Test func signalDuringTheWritingIsReportedAndTheSecondLosesIt() {
        #expect(responses(.finishing, 2) == [.finishWriting, .end(losesRecording: true)])
    }

    @Test func signalThatStoppedTheRecordingIsTheFirstForItsWriting() {
        var state = InterruptionState()
        state.phase = .recording
        #expect(state.take(signal: SIGTERM) == .stop)
        state.phase = .finishing
        #expect(state.take(signal: SIGINT) == .end(losesRecording: true))
        #expect(state.request == .signal(SIGTERM))
    }

    @Test func whatIsWrittenCannotBeLost() {
        var state = InterruptionState()
        state.phase = .recording
        #expect(state.take(signal: SIGHUP) == .stop)
        state.phase = .finished
        #expect(state.take(signal: SIGHUP) == .end(losesRecording: false))
    }

    /// A program that stops its recording itself hasn't been sent a signal yet.
    @Test func callIsNoSignal() {
        var state = InterruptionState()
        state.phase = .recording
        state.stop()
        #expect(state.request == .call && state.take(signal: SIGINT) == .stop && state.request == .call)
        state.phase = .finishing
        #expect(state.take(signal: SIGINT) == .end(losesRecording: true))
    }
}

/// How a recording hears of it.
@Suite struct InterruptionTests {
    private func isReadable(_ descriptor: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) == 1
    }

    @Test func callWakesTheRecordingOnce() throws {
        let interruption = try Interruption()
        #expect(!isReadable(interruption.descriptor) && interruption.request == nil)
        interruption.stop()
        #expect(isReadable(interruption.descriptor) && interruption.request == .call)
        // It is known now; the next wait is for something else.
        #expect(!isReadable(interruption.descriptor) && interruption.request == .call)
    }
}
