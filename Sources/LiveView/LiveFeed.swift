import ELF
import LinuxProcess
import Profile
import ProfileFormats
import Symbols
import Synchronization
import Threads

/// Cuts a recording into seconds, names them on a thread of its own, and keeps the last ones.
package final class LiveFeed: IntervalReceiver, @unchecked Sendable {
    /// How functions are named.
    package struct Naming: Sendable {
        package var demangles: Bool
        package var debugFiles: DebugFileSearch?

        package init(demangles: Bool, debugFiles: DebugFileSearch?) {
            (self.demangles, self.debugFiles) = (demangles, debugFiles)
        }
    }

    private struct State {
        var began: ContinuousClock.Instant?
        /// Whether an interval is being named.
        var isNaming = false
        /// The last ones, the newest last.
        var seconds: [NamedProfile] = []
        /// What was not shown yet.
        var latest: NamedProfile?
        var number: UInt32 = 0
    }

    private let state = Mutex(State())
    private let naming: Naming
    private let pool = WorkerPool(limit: 1)
    private let interval: Duration
    private let window: Int
    /// Used only by the thread that names: one interval at a time.
    private var kernel: (symbols: KernelSymbols, modules: String?)?

    /// - Parameters:
    ///   - interval: how often there is a new profile.
    ///   - window: how many intervals a profile has.
    package init(_ naming: Naming, every interval: Duration = .seconds(1), window: Int = 10) {
        (self.naming, self.interval, self.window) = (naming, interval, window)
    }

    /// The newest profile; nil if there is none since the last call.
    package func takeLatest() -> NamedProfile? {
        state.withLock { state in
            defer { state.latest = nil }
            return state.latest
        }
    }

    /// An interval goes on while the one before is being named.
    package func isIntervalOver(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            let began = state.began ?? now
            state.began = began
            return now - began >= interval && !state.isNaming
        }
    }

    package func take(_ interval: RecordedInterval, at now: ContinuousClock.Instant, isLast: Bool) {
        if isLast { return }
        let number = state.withLock { state in
            (state.began, state.isNaming) = (now, true)
            state.number &+= 1
            return state.number
        }
        pool.add(number, WorkerPool.Urgency(isAwaited: true, need: 0)) { self.name(interval) }
    }

    private func name(_ interval: RecordedInterval) {
        let recording = interval.recording
        let names = Symbolizer(
            recording.processes, kernel: self.kernelSymbols(), demangles: naming.demangles,
            debugFiles: naming.debugFiles)
        names.nameAll(recording.stacks)
        let profile = NamedProfile(recording, names: names)
        let seconds = state.withLock { state in
            state.seconds.append(profile)
            if state.seconds.count > window { state.seconds.removeFirst() }
            return state.seconds
        }
        var all = seconds[0]
        for second in seconds.dropFirst() { all.add(second) }
        state.withLock {
            $0.latest = all; $0.isNaming = false
        }
    }

    /// Read again when a module was loaded, which is the first in the list then, or unloaded: reading them takes a tenth of a
    /// second.
    private func kernelSymbols() -> KernelSymbols {
        let modules = SystemFile.text("/proc/modules")
        if let kernel, kernel.modules == modules { return kernel.symbols }
        let symbols = KernelSymbols()
        kernel = (symbols, modules)
        return symbols
    }
}
