import CLinux
import Glibc
import Synchronization
import UnwindTable

/// Tables on their way into a store, many of which are written to the disk at once.
///
/// The promise is that of ``TableStore/insert(_:key:)``: a table's bytes are on the disk before its name is seen, so that
/// after a crash an entry is whole or not there. But a disk's cache is flushed once for many tables, not twice for each.
/// A table is seen when its batch is full, or after ``flush()``.
public final class TableBatch: Sendable {
    private let store: TableStore
    private let state = Mutex(State())

    /// Open files and bytes that wait at most. Within the 100 descriptors that a process may be limited to.
    private static let fileLimit = 32
    private static let byteLimit = 64 << 20

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

    public init(_ store: TableStore) { self.store = store }

    /// How often the disk was asked to write everything down.
    package var syncCount: Int { state.withLock { $0.syncCount } }

    /// Takes a table, in place of what the store has.
    ///
    /// - Throws: as ``TableStore/insert(_:key:)``. What goes wrong later, ``flush()`` returns.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let pending = Pending(key: key, file: try store.unseenFile(table, key: key))
        let full = state.withLock { state -> [Pending] in
            state.files.append(pending)
            state.bytes += table.count
            guard state.files.count >= Self.fileLimit || state.bytes >= Self.byteLimit else { return [] }
            return state.take()
        }
        if !full.isEmpty { publish(full) }
    }

    /// Has all tables seen, and their names on the disk.
    ///
    /// - Returns: why some were not kept, since the last time.
    public func flush() -> [TableSource.Key: StoreError] {
        let rest = state.withLock { $0.take() }
        if !rest.isEmpty { publish(rest) }
        if state.withLock({ $0.hasUnsyncedNames }) { _ = synchronize() }
        return state.withLock { state in
            defer { state.failures = [:] }
            return state.failures
        }
    }

    private func publish(_ files: [Pending]) {
        let syncFailure = synchronize()
        for pending in files {
            do throws(StoreError) {
                if let syncFailure {
                    throw .cannot(.write, path: store.directory, errno: syncFailure, in: .store)
                }
                try pending.file.publish()
                state.withLock { $0.hasUnsyncedNames = true }
            } catch {
                state.withLock { $0.failures[pending.key] = error }
            }
        }
    }

    /// - Returns: the `errno` of syncfs(2), or nil.
    private func synchronize() -> Int32? {
        state.withLock {
            $0.syncCount += 1
            $0.hasUnsyncedNames = false
        }
        guard let directory = Descriptor(opening: store.directory, O_RDONLY | O_DIRECTORY) else { return errno }
        return directory.synchronizeFileSystem()
    }
}
