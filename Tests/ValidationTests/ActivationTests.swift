import Testing
@testable import Validation

/// Which frames count as interrupted, compared with libdwfl.
@Suite struct ActivationTests {
    private func frame(_ pc: UInt64, isExact: Bool = false) -> WalkedFrame {
        WalkedFrame(pc: pc, stackPointer: pc, framePointer: nil, isExact: isExact)
    }

    /// A handler's caller, the signal frame, is exact if the interrupted frame is.
    private var frames: [WalkedFrame] { [frame(1, isExact: true), frame(2), frame(3, isExact: true), frame(4)] }

    @Test func theFrameBeforeAnInterruptedOneIsExactToo() {
        #expect(frames.activations(among: 4).map(\.isExact) == [true, true, true, false])
        #expect(frames.activations(among: 9).map(\.isExact) == [true, true, true, false])
    }

    /// If libdwfl's walk ends at the signal frame, it can't know what follows. That is no difference.
    @Test func ofItsLastFrameLibdwflCannotSayIt() {
        #expect(frames.activations(among: 2)[1] == frame(2))
        #expect(frames.activations(among: 0) == frames)
    }
}
