import Glibc

/// Identifies a file in one state: equal identities mean equal bytes.
///
/// The time is that of the last status change (`st_ctim`), which, unlike the modification time, nobody can set back.
package struct FileIdentity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    /// In bytes.
    package var size: UInt64
    /// Since 1970, in nanoseconds.
    package var changeNanoseconds: Int64

    package init(device: UInt64, inode: UInt64, size: UInt64, changeNanoseconds: Int64) {
        self.device = device
        self.inode = inode
        self.size = size
        self.changeNanoseconds = changeNanoseconds
    }

    package init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = UInt64(clamping: status.st_size)
        let seconds = Int64(status.st_ctim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        changeNanoseconds = seconds.partialValue &+ Int64(status.st_ctim.tv_nsec)
    }
}
