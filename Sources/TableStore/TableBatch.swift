import Files
import Glibc
import Synchronization
import UnwindTable

/// Tables on their way into a store, many of which are written to the disk at once.
///
/// The promise is that of ``TableStore/insert(_:key:)``: a table's bytes are on the disk before its name is seen, so
/// that after a crash an entry is whole or not there. But a disk's cache is flushed once for many tables, not twice for
/// each. A table is seen when its batch is full, or after ``flush()``.
public final class TableBatch: Sendable {
    private let store: TableStore
    private let state = Mutex(State())
    /// Held by who publishes: with each thread's own batch under way, open files would be as many as threads times
    /// files.
    private let publishing = Mutex(())
    /// Open files and bytes that wait. As many again are being published, and each thread has one that it brings.
    private let fileLimit: Int
    private static let byteLimit = 64 << 20
    /// Writes down what the file system of the store's directory holds; the `errno` of syncfs(2), or nil.
    private let synchronizeFileSystem: @Sendable () -> Int32?

    private struct State {
        var files: [Pending] = []
        var bytes = 0
        var failures: [TableSource.Key: StoreError] = [:]
        var syncCount = 0
        var hasUnsyncedNames = false

        mutating func take() -> [Pending] {
            defer {
                files = []
                bytes = 0
            }
            return files
        }
    }

    /// @unchecked: handed from the thread that wrote it to the one that publishes it.
    private struct Pending: @unchecked Sendable {
        let key: TableSource.Key
        let file: UnseenFile
    }

    public convenience init(_ store: TableStore) {
        self.init(store) {
            guard let directory = Descriptor(opening: store.directory, O_RDONLY | O_DIRECTORY) else { return errno }
            return directory.synchronizeFileSystem()
        }
    }

    /// - Parameter synchronize: what a test has in the place of syncfs(2).
    package init(_ store: TableStore, synchronize: @escaping @Sendable () -> Int32?) {
        self.store = store
        synchronizeFileSystem = synchronize
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        // Twice an eighth of all: the threads' own files need some, too.
        fileLimit = isKnown ? max(1, min(32, Int(clamping: limit.rlim_cur) / 8)) : 1
    }

    /// How often the disk was asked to write everything down.
    package var syncCount: Int { state.withLock { $0.syncCount } }

    /// Takes a table, in place of what the store has.
    ///
    /// - Throws: as ``TableStore/insert(_:key:)``. What goes wrong later, ``flush()`` returns.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let pending = Pending(key: key, file: try store.unseenFile(table, key: key))
        let fills = state.withLock { state in
            state.files.append(pending)
            state.bytes += table.count
            return isFull(state)
        }
        guard fills else { return }
        publishing.withLock { _ in
            // Who published meanwhile took this one along.
            let files = state.withLock { isFull($0) ? $0.take() : [] }
            if !files.isEmpty { publish(files) }
        }
    }

    private func isFull(_ state: State) -> Bool { state.files.count >= fileLimit || state.bytes >= Self.byteLimit }

    /// Has all tables seen, and their names on the disk.
    ///
    /// - Returns: why some were not kept, since the last time.
    public func flush() -> [TableSource.Key: StoreError] {
        publishing.withLock { _ in
            let rest = state.withLock { $0.take() }
            if !rest.isEmpty { publish(rest) }
            if state.withLock({ $0.hasUnsyncedNames }) { _ = synchronize() }
        }
        return state.withLock { state in
            defer { state.failures = [:] }
            return state.failures
        }
    }

    private func publish(_ files: [Pending]) {
        let syncFailure = synchronize()
        for pending in files {
            do throws(FileError) {
                if let syncFailure { throw FileError(cannot: .write, path: store.directory, errno: syncFailure) }
                // On the disk already, and its name will be after the last of the batch.
                try pending.file.publish(isDurable: false)
                state.withLock { $0.hasUnsyncedNames = true }
            } catch {
                state.withLock { $0.failures[pending.key] = .file(error) }
            }
        }
    }

    /// - Returns: the `errno` of syncfs(2), or nil.
    private func synchronize() -> Int32? {
        state.withLock {
            $0.syncCount += 1
            $0.hasUnsyncedNames = false
        }
        return synchronizeFileSystem()
    }
}
