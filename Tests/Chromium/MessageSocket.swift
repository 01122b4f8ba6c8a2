import Foundation

/// JSON messages over a socket, each ended by a zero byte.
final class MessageSocket {
    private let file: FileHandle
    private var unread: [UInt8] = []
    /// How much of `unread` is known to have no zero.
    private var searched = 0

    private init(_ file: FileHandle) { self.file = file }

    /// One end, and what the other process gets.
    static func pair() throws -> (MessageSocket, FileHandle) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Chromium.Problem("socketpair: \(String(cString: strerror(errno)))")
        }
        // A browser that says nothing for so long hangs.
        var limit = timeval(tv_sec: 600, tv_usec: 0)
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return (
            MessageSocket(FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)),
            FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        )
    }

    func send(_ message: [String: Any]) throws {
        var bytes = [UInt8](try JSONSerialization.data(withJSONObject: message)) + [0]
        while !bytes.isEmpty {
            // A browser that died must not end the tests by SIGPIPE.
            let sent = Glibc.send(file.fileDescriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { throw Chromium.Problem("Chromium ended") }
            bytes.removeFirst(sent)
        }
    }

    /// Waits for the next message.
    func next() throws -> [String: Any] {
        while true {
            if let end = unread[searched...].firstIndex(of: 0) {
                let message = Data(unread[..<end])
                unread.removeFirst(end + 1)
                searched = 0
                return try JSONSerialization.jsonObject(with: message) as? [String: Any] ?? [:]
            }
            searched = unread.count
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(file.fileDescriptor, &piece, piece.count, 0)
            guard count > 0 else { throw Chromium.Problem("Chromium ended, or said nothing for ten minutes") }
            unread += piece[..<count]
        }
    }
}
