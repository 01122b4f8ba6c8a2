import Glibc

/// An open file descriptor, closed at the end of its life.
struct Descriptor: ~Copyable {
    let number: Int32

    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Writes all of `bytes` at the file position.
    ///
    /// - Returns: the `errno` of `write(2)`, or nil.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        Self.write(bytes, to: number)
    }

    /// As ``write(_:)``, to a descriptor that somebody else owns. Waits if it is non-blocking and full.
    static func write(_ bytes: UnsafeRawBufferPointer, to number: Int32) -> Int32? {
        withoutFileSizeSignal {
            var rest = bytes
            while !rest.isEmpty {
                let count = Glibc.write(number, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    continue
                }
                // POSIX has no zero for a non-empty write to a file; take it for a full device.
                let code = count == 0 ? ENOSPC : errno
                if code == EINTR { continue }
                guard code == EAGAIN else { return code }
                var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            }
            return nil
        }
    }

    /// `fdatasync(2)`, where the file system can.
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

    /// Beyond RLIMIT_FSIZE, `write(2)` sends SIGXFSZ, which kills, before it returns EFBIG. The signal goes to the
    /// writing thread: blocked and consumed there, it doesn't touch what the process otherwise does with it.
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

/// The names in a directory.
enum DirectoryEntries {
    /// Calls `body` with up to `limit` names, in no order.
    ///
    /// - Returns: the `errno` of `opendir(3)`, or nil.
    @discardableResult
    static func forEach(in path: String, limit: Int = .max, _ body: (String) -> Void) -> Int32? {
        guard let directory = opendir(path) else { return errno }
        defer { closedir(directory) }
        var count = 0
        while count < limit, let entry = readdir(directory) {
            guard let name = entry.pointer(to: \.d_name) else { continue }
            count += 1
            body(String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)))
        }
        return nil
    }
}

/// Lowercase hexadecimal.
enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// 16 digits.
    static func text(_ number: UInt64) -> String {
        withUnsafeBytes(of: number.bigEndian) { text($0) }
    }

    static func isText(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { digits.contains($0) }
    }
}

/// The C library's words for an `errno`.
func systemMessage(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let start = buffer.baseAddress, strerror_r(code, start, buffer.count) == 0 else { return "error \(code)" }
        return String(cString: start)
    }
}
