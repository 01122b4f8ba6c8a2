import CXXHash
import Files
import Glibc
import UnwindTable

// Computing the content digest of a file means reading its call frame sections. The index remembers the digest as long
// as the file and its debug file are unchanged. It has one entry per inode, so a new state of a file replaces the old
// one.
extension TableStore {
    /// The content digest that was remembered for files in this state.
    ///
    /// - Returns: 32 bytes; nil if there is no entry, or if it is torn or for another state.
    package func contentDigest(of state: FileState) -> [UInt8]? {
        let place = indexPlace(of: state.file)
        let path = place.directory + "/" + place.name
        guard let file = Descriptor(opening: path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY) else { return nil }
        guard let status = file.status(), isTrusted(status) else { return nil }
        let bytes = file.read(limit: IndexEntry.size + 1)
        return IndexEntry.digest(in: bytes, for: state)
    }

    /// Remembers the content digest of files in this state. If that fails, only time is lost.
    ///
    /// The digest of a file that changed within the last ``settlingSeconds`` isn't remembered.
    ///
    /// - Parameter digest: 32 bytes, computed from bytes that were read after the files' `state`.
    /// - Returns: whether it was remembered.
    @discardableResult
    package func remember(_ digest: [UInt8], of state: FileState) -> Bool {
        let changed = state.lastChange / 1_000_000_000
        guard digest.count == IndexEntry.digestSize, changed < Int64(time(nil)) - settlingSeconds else { return false }
        let place = indexPlace(of: state.file)
        do {
            try makeTrusted(place.directory, in: directory + "/" + Self.indexDirectory)
            TemporaryFiles.removeStale(from: place.directory)
            let file = atomicFile(place.directory, place.name)
            try IndexEntry.bytes(of: digest, for: state).withUnsafeBytes {
                try file.replace(with: $0, isDurable: false)
            }
            return true
        } catch {
            return false
        }
    }

    private func indexPlace(of identity: FileIdentity) -> (directory: String, name: String) {
        let fan = Hex.text([UInt8(truncatingIfNeeded: identity.inode)])
        return (
            "\(directory)/\(Self.indexDirectory)/\(fan)",
            "\(Hex.text(identity.device, digits: 16))-\(Hex.text(identity.inode, digits: 16))"
        )
    }
}

/// magic[8] │ SHA-256 of the files' identities [32] │ content digest [32] │ XXH64 of all preceding bytes, little-endian
enum IndexEntry {
    static let digestSize = 32
    static let size = magic.count + 2 * digestSize + 8
    private static let magic = [0x89] + Array("UNWIDX2".utf8)

    static func bytes(of digest: [UInt8], for state: FileState) -> [UInt8] {
        let bytes = magic + state.digest + digest
        return bytes + checksum(bytes)
    }

    static func digest(in bytes: [UInt8], for state: FileState) -> [UInt8]? {
        guard bytes.count == size, bytes.starts(with: magic + state.digest) else { return nil }
        let covered = Array(bytes.dropLast(8))
        guard bytes.suffix(8).elementsEqual(checksum(covered)) else { return nil }
        return Array(covered.suffix(digestSize))
    }

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: XXH64(bytes, bytes.count, 0).littleEndian) { Array($0) }
    }
}
