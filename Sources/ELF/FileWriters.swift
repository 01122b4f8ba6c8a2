import CLinux
import Glibc

/// Decides who can change a file.
package enum FileWriters {
    /// Whether anybody but root and this process's user can change the open file.
    ///
    /// This is the rule by which the kernel trusts a file's owner when it runs a set-user-ID program: the owner is root
    /// or the user, the mode (which also limits access control lists) lets nobody else write, and the file system isn't
    /// mounted `nosuid`. File systems whose owners can't be trusted are mounted `nosuid`: those that users mount
    /// themselves, from images or with FUSE.
    static func areOthers(_ descriptor: Int32) -> Bool {
        var status = stat()
        var system = statvfs()
        guard fstat(descriptor, &status) == 0, fstatvfs(descriptor, &system) == 0 else { return true }
        return areOthers(owner: status.st_uid, mode: status.st_mode, mountFlags: system.f_flag, user: geteuid())
    }

    /// - Parameter mountFlags: `ST_*` of statvfs(3).
    package static func areOthers(owner: uid_t, mode: mode_t, mountFlags: UInt, user: uid_t) -> Bool {
        let noSetUserID: UInt = 2  // ST_NOSUID
        return (owner != 0 && owner != user) || mode & (S_IWGRP | S_IWOTH) != 0 || mountFlags & noSetUserID != 0
    }
}

/// Decides which file systems can be trusted to identify a file and its state.
package enum FileSystemKind {
    /// Whether two files with the same identity have the same bytes: inodes are not shared, and nobody can set back the
    /// time of change. Not true where a server supplies both (FUSE including virtiofs, and network file systems),
    /// because it may cache or invent them; nor on FAT, which has neither.
    ///
    /// - Parameter magic: `f_type` of statfs(2).
    package static func hasReliableIdentities(_ magic: UInt32) -> Bool { !unreliable.contains(magic) }

    static func hasReliableIdentities(_ descriptor: Int32) -> Bool {
        let magic = file_system_kind(descriptor)
        return magic != 0 && hasReliableIdentities(magic)
    }

    /// From linux/magic.h and the file systems' own headers.
    private static let unreliable: [UInt32] = [
        0x6573_5546,  // FUSE_SUPER_MAGIC
        0x6969,  // NFS_SUPER_MAGIC
        0xff53_4d42, 0xfe53_4d42, 0x517b,  // CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, SMB_SUPER_MAGIC
        0x0102_1997,  // V9FS_MAGIC
        0x5346_414f, 0x6b41_4653,  // AFS_SUPER_MAGIC, AFS_FS_MAGIC
        0x00c3_6400,  // CEPH_SUPER_MAGIC
        0x7375_7245,  // CODA_SUPER_MAGIC
        0x564c,  // NCP_SUPER_MAGIC
        0x0bd0_0bd0,  // LL_SUPER_MAGIC: Lustre
        0x786f_4256,  // VBOXSF_SUPER_MAGIC
        0x4d44, 0x2011_bab0,  // MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC
    ]
}

extension ELFImage {
    /// Whether files with the same ``identity`` have the same bytes, which depends on the file system. False for an
    /// image in memory.
    package var hasReliableIdentity: Bool {
        if case .file(let file) = source { FileSystemKind.hasReliableIdentities(file.descriptor) } else { false }
    }

    /// Whether anybody but root and this process's user can change the file, now or while it is read. False for an
    /// image in memory, which is a copy.
    package var othersMayWrite: Bool {
        if case .file(let file) = source { file.othersMayWrite } else { false }
    }

    /// Bytes of the file up to the end of its last loaded segment, which stripping doesn't change. The whole size if
    /// there is no such segment.
    package var loadedSize: UInt64 {
        let ends = segments.filter(\.isLoad).compactMap { segment -> UInt64? in
            let backed = segment.fileBackedSize(imageSize: size)
            // A segment's file-backed bytes end at `size` at the latest: no overflow.
            return backed > 0 ? segment.offset + backed : nil
        }
        return ends.max() ?? size
    }

    /// Whether the file itself has .debug_frame, as far as its section headers tell.
    package var hasDebugFrame: Bool {
        guard let sections = try? sections() else { return false }
        return sections.contains { CallFrameSectionKind.debugFrame.sectionNames.contains($0.name) && !$0.hasNoBits }
    }
}
