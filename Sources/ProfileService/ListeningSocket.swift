import Files
import Glibc

/// Where profiles are served.
public enum ServiceAddress: Equatable, Sendable, CustomStringConvertible {
    /// An IPv4 or IPv6 address, and a port; 0 for any that is free.
    case network(host: String, port: UInt16)
    /// The path of a Unix domain socket, which only its user can connect to.
    case unix(path: String)

    /// Parses `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090` or `unix:/run/cfic.sock`; nil if it is none of these.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host == "localhost" { host = "127.0.0.1" }
        var (four, six) = (in_addr(), in6_addr())
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard inet_pton(AF_INET6, host, &six) == 1 else { return nil }
        } else {
            guard inet_pton(AF_INET, host, &four) == 1 else { return nil }
        }
        self = .network(host: host, port: port)
    }

    /// Whether only this machine can connect to it.
    public var isLocal: Bool {
        switch self {
        case .unix: true
        case .network(let host, _): host == "::1" || host.hasPrefix("127.")
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .network(let host, let port): host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
        }
    }
}

/// A socket that clients can connect to.
struct ListeningSocket: ~Copyable {
    private var descriptor: Int32
    /// With the port that was chosen.
    let address: ServiceAddress
    /// The file that a Unix socket is, which goes with it.
    private let file: File?

    /// - Throws: ``ServiceError``, for example if the address is in use.
    init(_ wanted: ServiceAddress) throws(ServiceError) {
        let made = Self.make(wanted)
        if let code = made.failure {
            if made.descriptor >= 0 { close(made.descriptor) }
            throw .system("cannot serve at \(wanted)", errno: code)
        }
        (descriptor, file) = (made.descriptor, made.file)
        address = Self.bound(descriptor, wanted)
    }

    private typealias File = (path: String, device: dev_t, inode: ino_t)

    private static func make(_ wanted: ServiceAddress) -> (descriptor: Int32, file: File?, failure: Int32?) {
        let family =
            switch wanted {
            case .unix: AF_UNIX
            case .network(let host, _): host.contains(":") ? AF_INET6 : AF_INET
            }
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { return (descriptor, nil, errno) }
        var file: File?
        if case .unix(let path) = wanted {
            // What a cfic left that was killed. One that still runs accepts connections.
            if isAbandoned(path) { unlink(path) }
            let mask = umask(0o177)
            defer { umask(mask) }
            guard bind(descriptor, path: path) == 0 else { return (descriptor, nil, errno) }
            var status = stat()
            guard stat(path, &status) == 0 else { return (descriptor, nil, errno) }
            file = (path, status.st_dev, status.st_ino)
        } else {
            var yes: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
            guard bind(descriptor, wanted) == 0 else { return (descriptor, nil, errno) }
        }
        return (descriptor, file, listen(descriptor, SOMAXCONN) == 0 ? nil : errno)
    }

    /// Gives the descriptor to who closes it.
    mutating func take() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        guard let file else { return }
        var status = stat()
        // Another one may have taken the path.
        if stat(file.path, &status) == 0, status.st_dev == file.device, status.st_ino == file.inode {
            unlink(file.path)
        }
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private static func bind(_ descriptor: Int32, path: String) -> Int32 {
        withAddress(path) { Glibc.bind(descriptor, $0, $1) }
    }

    /// Whether there is a socket that nobody listens at.
    private static func isAbandoned(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withAddress(path) { connect(descriptor, $0, $1) } != 0 && errno == ECONNREFUSED
    }

    private static func bind(_ descriptor: Int32, _ wanted: ServiceAddress) -> Int32 {
        guard case .network(let host, let port) = wanted else { return -1 }
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let address = found else {
            errno = EINVAL
            return -1
        }
        defer { freeaddrinfo(address) }
        return Glibc.bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen)
    }

    /// The address with the port that a socket has.
    private static func bound(_ descriptor: Int32, _ wanted: ServiceAddress) -> ServiceAddress {
        guard case .network(let host, _) = wanted else { return wanted }
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        // The port is at the same place in both kinds of addresses.
        return .network(host: host, port: UInt16(bigEndian: address.sin6_port))
    }
}
