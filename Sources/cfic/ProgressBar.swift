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
        guard total > 0 else { return }
        let share = Double(done) / Double(total)
        update(share, "\(Int(share * 100)) %  \(Quantity.bytes(done)) of \(Quantity.bytes(total))")
    }

    /// As ``update(_:of:)``, with any text beside the bar, which is as wide as the terminal has room for.
    ///
    /// - Parameter share: of the work that is done; nil if nobody knows, for no bar.
    func update(_ share: Double?, _ text: @autoclosure () -> String) {
        guard isShown else { return }
        state.withLock { state in
            let now = Self.milliseconds()
            guard now - state.drawnAt >= 100 else { return }
            state.drawnAt = now
            state.isDrawn = true
            // In the last column, a terminal would go on to the next line.
            Self.put("\r\(Self.line(share, text(), columns: Terminal.columns(of: STDERR_FILENO) - 1))\u{1b}[K")
        }
    }

    /// A bar and a text in so many columns. A bar that would be too short to tell anything is left out.
    static func line(_ share: Double?, _ text: String, columns: Int) -> String {
        let width = min(30, columns - text.count - 1)
        guard let share, width >= 8 else { return String(text.prefix(max(0, columns))) }
        let filled = Int(min(max(share, 0), 1) * Double(width))
        return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled) + " " + text
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
