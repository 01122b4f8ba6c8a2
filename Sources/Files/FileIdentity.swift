import Glibc

/// What tells one state of one file from another: two equal identities are the same bytes.
///
/// The time is that of the last change of status (`st_ctim`), which nobody can set back, unlike the modification time.
public struct FileIdentity: Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64
    /// In bytes.
    public var size: UInt64
    /// Since 1970, in nanoseconds.
    public var changeNanoseconds: Int64

    public init(device: UInt64, inode: UInt64, size: UInt64, changeNanoseconds: Int64) {
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
