import CXXHash
import ELF
import Glibc

// The content key of a file without a build id takes reading its call frame sections. The index remembers it for as
// long as device, inode, size and modification time stay: a file for each inode, so that a new state of a file
// replaces the old one's.
extension TableStore {
    /// The content key that a file in this state had.
    ///
    /// - Returns: 32 bytes, or nil if it isn't known; an entry that is torn or another state's is as none.
    public func contentKey(for identity: FileIdentity) -> [UInt8]? {
        let place = indexPlace(of: identity)
        let number = open(place.directory + "/" + place.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard number >= 0 else { return nil }
        let file = Descriptor(owning: number)
        let bytes = withUnsafeTemporaryAllocation(byteCount: IndexEntry.size + 1, alignment: 8) { buffer in
            let count = pread(file.number, buffer.baseAddress, buffer.count, 0)
            return Array(buffer.prefix(max(count, 0)))
        }
        return IndexEntry.key(in: bytes, for: identity)
    }

    /// Remembers the content key of a file in this state; it costs only time if that fails.
    ///
    /// A file modified in the last two seconds is not remembered: it may change again without its modification time
    /// doing so (file systems count in steps of up to two seconds).
    ///
    /// - Parameter key: 32 bytes, of what was read after the file had this `identity`.
    /// - Returns: whether it is remembered.
    @discardableResult
    public func remember(_ key: [UInt8], for identity: FileIdentity) -> Bool {
        let modified = identity.modificationNanoseconds / 1_000_000_000
        guard key.count == IndexEntry.keySize, modified < Int64(time(nil)) - 2 else { return false }
        let place = indexPlace(of: identity)
        do {
            try makeDirectories(place.directory)
            StaleTemporaries.remove(from: place.directory)
            let file = AtomicFile(directory: place.directory, name: place.name, area: .store, isDurable: false)
            try IndexEntry.bytes(of: key, for: identity).withUnsafeBytes { try file.replace(with: $0) }
            return true
        } catch {
            return false
        }
    }

    private func indexPlace(of identity: FileIdentity) -> (directory: String, name: String) {
        let fan = Hex.text([UInt8(truncatingIfNeeded: identity.inode)])
        return ("\(directory)/.content-index/\(fan)", "\(Hex.text(identity.device))-\(Hex.text(identity.inode))")
    }
}

/// magic[8] │ device u64 │ inode u64 │ size u64 │ mtime i64 │ key[32] │ XXH64 of all before; little-endian
enum IndexEntry {
    static let keySize = 32
    static let size = headSize + keySize + 8
    private static let headSize = 8 + 4 * 8
    private static let magic = [0x89] + Array("UNWIDX1".utf8)

    static func bytes(of key: [UInt8], for identity: FileIdentity) -> [UInt8] {
        var bytes = head(identity) + key
        bytes.append(contentsOf: littleEndian(checksum(bytes)))
        return bytes
    }

    static func key(in bytes: [UInt8], for identity: FileIdentity) -> [UInt8]? {
        guard bytes.count == size, bytes.starts(with: head(identity)) else { return nil }
        let covered = Array(bytes.dropLast(8))
        guard bytes.suffix(8).elementsEqual(littleEndian(checksum(covered))) else { return nil }
        return Array(covered[headSize...])
    }

    private static func head(_ identity: FileIdentity) -> [UInt8] {
        magic + littleEndian(identity.device) + littleEndian(identity.inode) + littleEndian(identity.size)
            + littleEndian(UInt64(bitPattern: identity.modificationNanoseconds))
    }

    private static func littleEndian(_ number: UInt64) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt64 { XXH64(bytes, bytes.count, 0) }
}
