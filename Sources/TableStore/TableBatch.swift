import Files
import Glibc
import Synchronization
import UnwindTable

/// Inserts many tables into a store and writes them to disk together.
///
/// As with ``TableStore/insert(_:key:)``, a table's bytes are on the disk before its name appears, so after a crash an
/// entry is whole or absent. But the disk's cache is flushed once for many tables, not twice for each. A table becomes
/// visible when its batch is full, or after ``flush()``. A table that is alone is written as ``TableStore/insert(_:key:)``
/// writes it.
public final class TableBatch: Sendable {
    private let store: TableStore
    private let state = Mutex(State())
    /// Held while publishing. If each thread published a batch of its own, there would be as many open files as threads
    /// times files.
    private let publishing = Mutex(())
    /// The most pending files. As many again may be being published, and each thread has one that it is adding.
    private let fileLimit: Int
    private static let byteLimit = 64 << 20
    /// Writes the file system of the store's directory to disk. Returns the `errno` of syncfs(2), or nil.
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

    /// @unchecked: passed from the thread that wrote the file to the one that publishes it.
    private struct Pending: @unchecked Sendable {
        let key: TableSource.Key
        let file: UnseenFile
    }

    /// A batch for a store, in which nothing waits yet.
    public convenience init(_ store: TableStore) {
        self.init(store) {
            guard let directory = Descriptor(opening: store.directory, O_RDONLY | O_DIRECTORY) else { return errno }
            return directory.synchronizeFileSystem()
        }
    }

    /// - Parameter synchronize: replaces syncfs(2) in tests.
    package init(_ store: TableStore, synchronize: @escaping @Sendable () -> Int32?) {
        self.store = store
        synchronizeFileSystem = synchronize
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        // A quarter of all descriptors for pending and published files; the rest is for the threads' own files.
        fileLimit = isKnown ? max(1, min(32, Int(clamping: limit.rlim_cur) / 8)) : 1
    }

    /// The number of times that the file system was synchronized.
    package var syncCount: Int { state.withLock { $0.syncCount } }

    /// Adds a table, which will replace the store's table with this key.
    ///
    /// - Throws: as ``TableStore/insert(_:key:)``. Later failures are returned by ``flush()``.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let pending = Pending(key: key, file: try store.unseenFile(table, key: key))
        let fills = state.withLock { state in
            state.files.append(pending)
            state.bytes += table.count
            return isFull(state)
        }
        guard fills else { return }
        publishing.withLock { _ in
            // Another thread may have published this file meanwhile.
            let files = state.withLock { isFull($0) ? $0.take() : [] }
            if !files.isEmpty { publish(files) }
        }
    }

    private func isFull(_ state: State) -> Bool { state.files.count >= fileLimit || state.bytes >= Self.byteLimit }

    /// Makes all tables visible and writes their names to disk.
    ///
    /// - Returns: the tables that could not be stored since the last call, with the reasons.
    public func flush() -> [TableSource.Key: StoreError] {
        publishing.withLock { _ in
            let (rest, hasUnsyncedNames) = state.withLock { ($0.take(), $0.hasUnsyncedNames) }
            // One file is written by itself: to synchronize the file system would write whatever others have written.
            if rest.count == 1, !hasUnsyncedNames { return publishAlone(rest[0]) }
            if !rest.isEmpty { publish(rest) }
            if state.withLock({ $0.hasUnsyncedNames }) { _ = synchronize() }
        }
        return state.withLock { state in
            defer { state.failures = [:] }
            return state.failures
        }
    }

    private func publishAlone(_ pending: Pending) {
        do throws(FileError) { try pending.file.publish(isDurable: true) } catch {
            state.withLock { $0.failures[pending.key] = .file(error) }
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
