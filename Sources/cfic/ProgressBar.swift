import Glibc
import LinuxProcess
import Synchronization

/// A progress bar on standard error. Shown only on a terminal that isn't plain.
final class ProgressBar: Sendable {
    private struct State {
        var drawnAt: Int64 = 0
        var isDrawn = false
    }

    private let state = Mutex(State())
    private let isShown: Bool

    /// - Parameter isWorthwhile: whether there is enough work for a progress bar.
    init(isWorthwhile: Bool) { isShown = isWorthwhile && Diagnostics.isTerminal && !Terminal.isPlain }

    /// Draws at most ten times a second.
    func update(_ done: UInt64, of total: UInt64) {
        guard isShown, total > 0 else { return }
        state.withLock { state in
            let now = Self.milliseconds()
            guard now - state.drawnAt >= 100 else { return }
            state.drawnAt = now
            state.isDrawn = true
            let share = Double(done) / Double(total)
            let width = 30
            let filled = min(width, Int(share * Double(width)))
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            Self.put("\r\(bar) \(Int(share * 100)) %  \(Quantity.bytes(done)) of \(Quantity.bytes(total))\u{1b}[K")
        }
    }

    func finish() {
        state.withLock { state in
            if state.isDrawn { Self.put("\r\u{1b}[K") }
            state.isDrawn = false
        }
    }

    private static func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func milliseconds() -> Int64 {
        Int64(MonotonicClock.now / 1_000_000)
    }
}
