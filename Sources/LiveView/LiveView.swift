import Glibc
import ProfileFormats
import Synchronization
import Threads

/// Shows a recording on the terminal while it goes on, on a thread of its own: the only one that uses ncurses.
package final class LiveView: @unchecked Sendable {
    private struct State {
        var status: LiveModel.Status
        var isOver = false
    }

    private let state: Mutex<State>
    private let feed: LiveFeed
    private let usesColours: Bool
    private let pool = WorkerPool(limit: 1)
    /// Posted when the terminal has been given back. The only member that isn't safe by itself; semaphores are.
    private let ended = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// - Parameters:
    ///   - title: what is recorded, in words.
    ///   - feed: takes the recording.
    package init(_ title: String, _ feed: LiveFeed, usesColours: Bool) {
        state = Mutex(State(status: LiveModel.Status(title: title)))
        (self.feed, self.usesColours) = (feed, usesColours)
        sem_init(ended, 0, 0)
    }

    deinit {
        sem_destroy(ended)
        ended.deallocate()
    }

    /// Notes what is used of memory, in bytes.
    package func note(kernelMemory: Int, residentMemory: Int?) {
        state.withLock {
            ($0.status.kernelMemory, $0.status.residentMemory) = (kernelMemory, residentMemory)
        }
    }

    /// Takes over the terminal. ``close()`` has to follow.
    ///
    /// - Parameter quit: called on another thread when there is nothing more to show: with nil if the user wants to quit, else
    ///   with why the terminal can't be used.
    package func start(quit: @escaping @Sendable (_ problem: String?) -> Void) {
        pool.add(0, WorkerPool.Urgency(isAwaited: true, need: 0)) {
            if let screen = LiveScreen(usesColours: self.usesColours) {
                self.run(screen)
                quit(nil)
            } else {
                quit("this terminal can't be used: set TERM to one that terminfo knows")
            }
            sem_post(self.ended)
        }
    }

    /// Gives the terminal back, and waits until that has happened. Call it once.
    package func close() {
        state.withLock { $0.isOver = true }
        while sem_wait(ended) != 0 {}
    }

    /// How soon something new is shown. Keys are followed at once.
    private static let pause: Int32 = 100

    private func run(_ screen: LiveScreen) {
        let (empty, status) = (NamedProfile(unit: .samples, event: "", seconds: 0), state.withLock { $0.status })
        var model = LiveModel(empty, status)
        var isNew = true
        while !model.isEnded, !state.withLock({ $0.isOver }) {
            if let profile = feed.takeLatest() {
                model.show(profile, state.withLock { $0.status })
                isNew = true
            }
            if isNew {
                let size = screen.size
                screen.draw(LivePicture(model, rows: size.rows, columns: size.columns))
            }
            let event = screen.event(milliseconds: Self.pause)
            if case .key(let key) = event { model.press(key) }
            isNew = event != nil
        }
    }
}
