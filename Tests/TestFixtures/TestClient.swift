import Foundation

/// A client of HTTP that does only what a test says.
public final class TestClient {
    private let socket: Int32

    public init(_ address: String) throws {
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw TestFailure("no port in \(address)")
        }
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var peer = sockaddr_in()
        (peer.sin_family, peer.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
        inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr)
        let code = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw TestFailure("connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close(socket) }

    /// - Returns: whether the other side took it.
    @discardableResult
    public func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    public func closeForWriting() { shutdown(socket, Int32(SHUT_WR)) }

    /// All until the other side closes.
    public func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(socket, &piece, piece.count)
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
        }
    }

    /// An answer's status, headers and body.
    public struct Answer {
        public var status: Int
        public var headers: String
        public var body: [UInt8]
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public func answer() throws -> Answer {
        let bytes = readAll()
        let text = Array("\r\n\r\n".utf8)
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: text) }) else {
            throw TestFailure("no answer: \(String(decoding: bytes, as: UTF8.self))")
        }
        let headers = String(decoding: bytes[..<end], as: UTF8.self)
        let status = headers.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return Answer(status: status ?? 0, headers: headers, body: Array(bytes[(end + 4)...]))
    }

    public static func get(_ path: String, at address: String, headers: [String] = ["Host: localhost"]) throws -> Answer
    {
        let client = try TestClient(address)
        client.send("GET \(path) HTTP/1.1\r\n" + headers.map { $0 + "\r\n" }.joined() + "\r\n")
        return try client.answer()
    }
}
