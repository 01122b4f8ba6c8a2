import Files
import Glibc
import UnwindTable

/// Stores unwind tables in a directory, by key.
///
///     DIRECTORY/.build-id/ab/cdef…-DIGEST.unwind    tables of files with a build id, in lowercase hex
///     DIRECTORY/.content/ab/cdef….unwind            tables of files without one, by SHA-256
///     DIRECTORY/.content-index/…                    the content digests of unchanged files
///
/// Any number of threads and processes may use a directory at once: entries appear whole or not at all, and are only
/// replaced by rename.
public struct TableStore: Sendable {
    /// The directory as given; the first insertion creates it and its parents.
    public let directory: String
    /// Whether root uses the store even if others can write to it.
    public var isShared = false
    /// Seconds that a file must be unchanged before its content digest is remembered. File systems count time in steps
    /// of up to two seconds; within a step, a file can change without a new time of change.
    package var settlingSeconds: Int64 = 2

    /// The tables in a directory, which need not exist yet.
    ///
    /// - Parameter directory: its path, absolute or relative to the working directory.
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

    /// An empty variable counts as unset. By the XDG Base Directory Specification, relative paths are ignored.
    package static func defaultDirectory(environment: (String) -> String?, home: () -> String?) -> String? {
        if let own = environment("CFIC_CACHE"), !own.isEmpty { return own }
        if let caches = environment("XDG_CACHE_HOME"), caches.hasPrefix("/") { return caches + "/cfic" }
        if let home = environment("HOME"), home.hasPrefix("/") { return home + "/.cache/cfic" }
        return home().map { $0 + "/.cache/cfic" }
    }

    /// The home directory in the user database.
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

    /// The path of the table with `key`, whether or not it exists.
    ///
    /// - Throws: ``StoreError/invalidKey(byteCount:)`` if the key isn't 1 to 48 bytes long.
    public func path(of key: TableSource.Key) throws(StoreError) -> String {
        let place = try self.place(of: key)
        return place.directory + "/" + place.name
    }

    /// - Returns: the directory for this kind of key, the entry's own directory in it, and the entry's name.
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
            "\(directory)/\(kind)", "\(directory)/\(kind)/\(hex.prefix(2))",
            "\(hex.dropFirst(2))\(digest)\(Self.suffix)"
        )
    }

    static let buildIDDirectory = ".build-id"
    static let indexDirectory = ".content-index"
    /// The suffix is all of the name if the build id has one byte.
    static let suffix = ".unwind"
}
