import Glibc
import UnwindTable

extension TableStore {
    /// The fewest digits that may stand for a longer build id.
    static let shortestPrefix = 4

    /// The table whose build id is `text`, or the only one whose build id begins with it.
    ///
    /// It is whole, but may be of another compiler version or other options than ``current(key:options:)`` asks for.
    ///
    /// - Parameter text: hexadecimal digits, upper or lower case: a whole build id of any length, or at least 4 digits
    ///   of one.
    /// - Throws: ``StoreError/invalidPrefix(_:)``, ``StoreError/noSuchBuildID(_:directory:)``,
    ///   ``StoreError/ambiguous(prefix:candidates:count:)``, ``StoreError/unusable(path:_:)``, or
    ///   ``StoreError/cannot(_:path:errno:in:)`` if the directory can't be read.
    public func lookup(buildIDPrefixHex text: String) throws(StoreError) -> StoredTable {
        let prefix = text.lowercased()
        guard Hex.isText(prefix), (2...128).contains(prefix.utf8.count) else { throw .invalidPrefix(text) }
        let found = try buildIDs(startingWith: prefix).sorted()
        // A whole build id is meant even if another one begins with it.
        let matches = found.first == prefix ? [prefix] : found
        guard prefix.utf8.count >= Self.shortestPrefix || matches == [prefix] else { throw .invalidPrefix(text) }
        guard let match = matches.first else { throw .noSuchBuildID(text, directory: directory) }
        guard matches.count == 1 else {
            throw .ambiguous(prefix: text, candidates: Array(matches.prefix(16)), count: matches.count)
        }
        return try table(buildIDHex: match)
    }

    private func table(buildIDHex hex: String) throws(StoreError) -> StoredTable {
        let path = "\(directory)/\(Self.buildIDDirectory)/\(hex.prefix(2))/\(hex.dropFirst(2))\(Self.suffix)"
        do throws(NotCurrent) {
            let table = try StoredTable(mapping: path)
            guard case .buildID(let bytes) = table.key, Hex.text(bytes) == hex else { throw .otherKey }
            try table.checkSections()
            return table
        } catch {
            throw .unusable(path: path, error)
        }
    }

    private func buildIDs(startingWith prefix: String) throws(StoreError) -> [String] {
        let first = String(prefix.prefix(2))
        let path = "\(directory)/\(Self.buildIDDirectory)/\(first)"
        var found: [String] = []
        let failure = DirectoryEntries.forEach(in: path) { name in
            guard name.hasSuffix(Self.suffix) else { return }
            let rest = name.dropLast(Self.suffix.utf8.count)
            let whole = first + rest
            // Not every name that ends so is a build id's.
            guard Hex.isText(rest), whole.utf8.count.isMultiple(of: 2), whole.hasPrefix(prefix) else { return }
            found.append(whole)
        }
        if let failure, failure != ENOENT { throw .cannot(.list, path: path, errno: failure, in: .store) }
        return found
    }
}
