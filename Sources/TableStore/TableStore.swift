import Files
import Glibc
import UnwindTable

/// Unwind tables in a directory, by key.
///
///     DIRECTORY/.build-id/ab/cdef…-DIGEST.unwind    tables of files with a build id, in lowercase hex
///     DIRECTORY/.content/ab/cdef….unwind            tables of files without one, by SHA-256
///     DIRECTORY/.content-index/…                    which content digest an unchanged file had
///
/// Any number of threads and processes may use one directory at once: an entry appears whole or not at all, and is only
/// ever replaced by rename.
public struct TableStore: Sendable {
    /// The directory as it was given; made with its parents by the first insertion.
    public let directory: String
    /// Whether root uses the store though others can write it.
    public var isShared = false
    /// How long a file must have been left alone before its content digest is remembered: file systems count time in
    /// steps of up to two seconds, within which it may change again without its time of change doing so.
    package var settlingSeconds: Int64 = 2

    public init(directory: String) {
        self.directory = directory
    }

    /// The store of this user: `$CFIC_CACHE`, else `$XDG_CACHE_HOME/cfic`, else `~/.cache/cfic`.
    ///
    /// - Throws: ``StoreError/noDirectory`` if none of them is known.
    public init() throws(StoreError) {
        let found = Self.defaultDirectory(
            environment: { name in getenv(name).map { String(cString: $0) } }, home: Self.homeOfUser)
        guard let found else { throw .noDirectory }
        directory = found
    }

    /// An empty variable counts as unset; the XDG Base Directory Specification has relative paths ignored.
    package static func defaultDirectory(environment: (String) -> String?, home: () -> String?) -> String? {
        if let own = environment("CFIC_CACHE"), !own.isEmpty { return own }
        if let caches = environment("XDG_CACHE_HOME"), caches.hasPrefix("/") { return caches + "/cfic" }
        if let home = environment("HOME"), home.hasPrefix("/") { return home + "/.cache/cfic" }
        return home().map { $0 + "/.cache/cfic" }
    }

    /// The home directory that the user database knows.
    private static func homeOfUser() -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { buffer in
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard let start = buffer.baseAddress else { return nil }
            let status = getpwuid_r(getuid(), &entry, start, buffer.count, &found)
            guard status == 0, found != nil, let home = entry.pw_dir else { return nil }
            let path = String(cString: home)
            return path.hasPrefix("/") ? path : nil
        }
    }

    /// Where the table with `key` is, or would be.
    ///
    /// - Throws: ``StoreError/invalidKey(byteCount:)`` if the key isn't 1 to 48 bytes long.
    public func path(of key: TableSource.Key) throws(StoreError) -> String {
        let place = try self.place(of: key)
        return place.directory + "/" + place.name
    }

    /// - Returns: the directory of all keys of the same kind, the entry's own directory in it, and the entry's name.
    func place(
        of key: TableSource.Key
    ) throws(StoreError) -> (parent: String, directory: String, name: String) {
        let hex = Hex.text(key.bytes)
        guard (1...TableSource.Key.longestBuildID).contains(key.bytes.count) else {
            throw .invalidKey(byteCount: key.bytes.count)
        }
        let kind = if case .content = key { ".content" } else { Self.buildIDDirectory }
        let digest = key.digest.isEmpty ? "" : "-" + Hex.text(key.digest)
        return (
            "\(directory)/\(kind)", "\(directory)/\(kind)/\(hex.prefix(2))", hex.dropFirst(2) + digest + Self.suffix
        )
    }

    static let buildIDDirectory = ".build-id"
    static let indexDirectory = ".content-index"
    /// A one-byte build id leaves nothing else of the name.
    static let suffix = ".unwind"
}
