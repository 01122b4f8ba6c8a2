import Files
import Glibc
import UnwindTable

extension TableStore {
    /// The table whose build id is `text`, or the only one whose build id begins with it.
    ///
    /// It is whole, but may have another revision or other options than ``current(key:options:)`` requires.
    ///
    /// - Parameter text: at least 2 hexadecimal digits of a build id, upper or lower case; or, for one of several files
    ///   with the same build id, the whole id, a hyphen and enough digits of the digest.
    /// - Throws: ``StoreError/invalidPrefix(_:)``, ``StoreError/noSuchBuildID(_:directory:)``,
    ///   ``StoreError/ambiguous(prefix:candidates:count:)``, ``StoreError/unusable(path:_:)``, or
    ///   ``StoreError/file(_:)`` if the directory can't be read.
    public func lookup(buildIDPrefixHex text: String) throws(StoreError) -> StoredTable {
        guard let prefix = EntryName(prefix: text.lowercased()) else { throw .invalidPrefix(text) }
        let found = try entries(startingWith: prefix)
        // An exact match takes precedence over longer build ids that start with it.
        let whole = found.filter { $0.buildID == prefix.buildID }
        let matches = whole.isEmpty ? found : whole
        guard let match = matches.first else { throw .noSuchBuildID(text, directory: directory) }
        guard matches.count == 1 else {
            throw .ambiguous(prefix: text, candidates: matches.prefix(16).map(\.text), count: matches.count)
        }
        return try table(match)
    }

    /// Whether ``lookup(buildIDPrefixHex:)`` accepts `text`.
    package static func isBuildIDPrefix(_ text: String) -> Bool { EntryName(prefix: text.lowercased()) != nil }

    private func table(_ entry: EntryName) throws(StoreError) -> StoredTable {
        let path =
            "\(directory)/\(Self.buildIDDirectory)/\(entry.text.prefix(2))/\(entry.text.dropFirst(2))\(Self.suffix)"
        do throws(NotCurrent) {
            let table = try StoredTable(path, isTrusted: isTrusted)
            guard case .buildID(let bytes, let digest) = table.key, Hex.text(bytes) == entry.buildID,
                Hex.text(digest) == entry.digest
            else { throw .otherKey }
            try table.checkContent()
            return table
        } catch {
            throw .unusable(path: path, error)
        }
    }

    /// Sorted.
    private func entries(startingWith prefix: EntryName) throws(StoreError) -> [EntryName] {
        let first = String(prefix.buildID.prefix(2))
        let path = "\(directory)/\(Self.buildIDDirectory)/\(first)"
        let names: [String]
        do throws(Directory.Failure) {
            names = try Directory.names(in: path)
        } catch {
            guard error.errno == ENOENT else { throw .file(FileError(cannot: .list, path: path, errno: error.errno)) }
            names = error.names
        }
        let found = names.compactMap { name -> EntryName? in
            guard name.hasSuffix(Self.suffix) else { return nil }
            // Other files may have this suffix, too.
            let entry = EntryName(first + name.dropLast(Self.suffix.utf8.count))
            return entry.flatMap { $0.starts(with: prefix) ? $0 : nil }
        }
        return found.sorted { $0.text < $1.text }
    }
}

/// The name of an entry, or the beginning of a name, in lowercase hex: `BUILDID` or `BUILDID-DIGEST`.
struct EntryName {
    let buildID: String
    let digest: String

    var text: String { digest.isEmpty ? buildID : buildID + "-" + digest }

    /// A complete name; nil if `text` isn't one.
    init?(_ text: String) {
        guard let name = EntryName(prefix: text), name.buildID.utf8.count.isMultiple(of: 2),
            [0, 32].contains(name.digest.utf8.count), name.text == text
        else { return nil }
        self = name
    }

    /// The beginning of a name: at least the two digits that name its directory.
    init?(prefix text: String) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard (2...2 * TableSource.Key.longestBuildID).contains(parts[0].utf8.count), parts.allSatisfy(Hex.isText)
        else { return nil }
        buildID = String(parts[0])
        digest = parts.count > 1 ? String(parts[1]) : ""
    }

    func starts(with prefix: EntryName) -> Bool {
        prefix.digest.isEmpty
            ? buildID.hasPrefix(prefix.buildID) : buildID == prefix.buildID && digest.hasPrefix(prefix.digest)
    }
}
