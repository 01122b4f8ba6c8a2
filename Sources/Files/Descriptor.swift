import CLinux
import Glibc

/// An open file descriptor, closed when its owner's lifetime ends.
package struct Descriptor: ~Copyable {
    // Private, because outside this type the number could be used after it is closed or reused.
    private let number: Int32

    /// `open(2)`, close-on-exec; nil with `errno` set.
    package init?(opening path: String, _ flags: Int32, mode: mode_t = 0o666) {
        let number = path.withPath { open($0, flags | O_CLOEXEC, mode) }
        guard number >= 0 else { return nil }
        self.number = number
    }

    /// Opens a regular file below a directory, whose symbolic links don't lead out of it; nil with `errno` set, EINVAL if
    /// it isn't a regular file.
    package init?(openingRegularFile path: String, inRoot root: borrowing Descriptor) {
        let number = path.withPath { open_in_root(root.number, $0) }
        guard number >= 0 else { return nil }
        self.number = number
    }

    deinit {
        close(number)
    }

    /// `fstat(2)`; nil with `errno` set.
    package func status() -> stat? {
        var status = stat()
        return fstat(number, &status) == 0 ? status : nil
    }

    /// Up to `limit` bytes from the start of the file; empty if they can't be read.
    package func read(limit: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = max(pread(number, buffer.baseAddress, limit, 0), 0)
        }
    }

    /// Up to as many bytes as `buffer` has, from an offset on.
    ///
    /// - Returns: how many were read; 0 at the end of the file, and if they can't be read.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let count = pread(number, buffer.baseAddress, buffer.count, off_t(clamping: offset))
            if count >= 0 || errno != EINTR { return max(count, 0) }
        }
    }

    /// Fills `buffer` from the start of the file.
    ///
    /// - Returns: the `errno` of `pread(2)`, 0 if the file is too short, or nil.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Int32? {
        var done = 0
        while done < buffer.count {
            let count = pread(number, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count < 0 ? errno : 0 }
            done += count
        }
        return nil
    }

    /// Whether at least `wanted` bytes of the file are data, not holes that read as zeros; true if the file system
    /// can't tell. Takes time in proportion to the data.
    package func holds(atLeast wanted: Int) -> Bool {
        dataBytes(number, enough: UInt64(clamping: wanted)).map { $0 >= wanted } ?? true
    }

    /// Gives a file without a name (O_TMPFILE) one that doesn't exist yet. Uses the method in open(2) that needs no
    /// privilege.
    ///
    /// - Returns: the `errno` of `linkat(2)`, or nil.
    func link(as path: String) -> Int32? {
        path.withPath {
            linkat(AT_FDCWD, "/proc/self/fd/\(number)", AT_FDCWD, $0, AT_SYMLINK_FOLLOW) == 0 ? nil : errno
        }
    }

    /// Copies mode and owner of an existing regular file, as far as this process may, so that replacing a file doesn't
    /// change to whom it belongs.
    func takePermissions(of path: String) {
        var status = stat()
        guard path.withPath({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        // Mode last, because changing the owner may change it.
        if geteuid() == 0 { _ = fchown(number, status.st_uid, status.st_gid) }
        _ = fchmod(number, status.st_mode & 0o777)
    }

    /// - Returns: the `errno` of `fchown(2)`, or nil.
    func give(to owner: AtomicFile.Owner) -> Int32? { fchown(number, owner.user, owner.group) == 0 ? nil : errno }

    /// Writes all of `bytes` at the file position.
    ///
    /// - Returns: the `errno` of `write(2)`, or nil.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        Self.write(bytes, to: number)
    }

    /// As ``write(_:)``, to a descriptor with another owner. Waits if it is non-blocking and full.
    package static func write(_ bytes: UnsafeRawBufferPointer, to number: Int32) -> Int32? {
        withoutFileSizeSignal {
            var rest = bytes
            while !rest.isEmpty {
                let count = Glibc.write(number, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    continue
                }
                // POSIX doesn't define a result of 0 for a non-empty write to a file; treat it as a full device.
                let code = count == 0 ? ENOSPC : errno
                if code == EINTR { continue }
                guard code == EAGAIN else { return code }
                var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            }
            return nil
        }
    }

    /// `fsync(2)` of a directory, which writes the names in it to disk; `fdatasync` might skip new names as metadata.
    ///
    /// Best effort, because some file systems don't support it.
    func synchronizeNames() {
        fsync(number)
    }

    /// `fdatasync(2)`; ignored on file systems that don't support it.
    ///
    /// - Returns: its `errno`, or nil.
    func synchronize() -> Int32? {
        while fdatasync(number) != 0 {
            switch errno {
            case EINTR: continue
            case EINVAL, ENOSYS, EOPNOTSUPP: return nil
            case let code: return code
            }
        }
        return nil
    }

    /// `syncfs(2)`; ignored on file systems that don't support it.
    ///
    /// - Returns: its `errno`, or nil.
    package func synchronizeFileSystem() -> Int32? {
        switch sync_file_system(number) {
        case 0, EINVAL, ENOSYS, EOPNOTSUPP: nil
        case let code: code
        }
    }

    /// Calls `body`, which writes, with SIGXFSZ blocked. Beyond RLIMIT_FSIZE, `write(2)` sends this signal, which kills
    /// the process, before it returns EFBIG. The signal goes to the writing thread; it is consumed here, so the
    /// process's own handling of it is unaffected.
    private static func withoutFileSizeSignal(_ body: () -> Int32?) -> Int32? {
        var signals = sigset_t()
        var before = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGXFSZ)
        guard pthread_sigmask(SIG_BLOCK, &signals, &before) == 0 else { return body() }
        let result = body()
        if result == EFBIG, sigismember(&before, SIGXFSZ) == 0 {
            var now = timespec()
            sigtimedwait(&signals, nil, &now)
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return result
    }
}
