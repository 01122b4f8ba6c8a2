import ProfileFormats

/// What a client is answered with.
struct HTTPReply: Sendable {
    var status: UInt32
    var type = "text/plain; charset=utf-8"
    var body: [UInt8]
    /// Others than those of the body.
    var headers: [(name: String, value: String)] = []

    /// A line of text.
    init(_ status: UInt32, _ text: String, headers: [(name: String, value: String)] = []) {
        (self.status, body, self.headers) = (status, Array((text + "\n").utf8), headers)
    }

    init(type: String, _ body: [UInt8]) { (status, self.type, self.body) = (200, type, body) }
}

/// A request as far as routing needs it.
struct HTTPRequest {
    var method = "GET"
    var path: String
    /// The argument `seconds`.
    var seconds: String?
    var authorization: String?
    var host: String?
    var hasBody = false
}

/// What a request asks for.
enum Route {
    case metrics
    case health
    case profile(Duration, ServedFormat)
    /// It is answered without more.
    case refused(HTTPReply)
}

/// The formats of profiles over HTTP.
enum ServedFormat: Sendable {
    case pprof
    case flameGraph
}

/// Who may ask for what.
struct Routes: Sendable {
    /// Nil if no token is needed.
    let token: ServiceToken?
    /// The longest profile, in seconds.
    static let longest = 600
    /// The duration of a profile if the request states none, as in Go's net/http/pprof.
    static let usual = 30

    /// Without a token, only local addresses are served; but a web page of anybody can be told to connect to them, under a
    /// host name of its own (DNS rebinding). The name gives it away.
    private static func isLocal(_ host: String?) -> Bool {
        guard let host else { return true }
        let name = host.hasSuffix("]") ? host[...] : host[..<(host.lastIndex(of: ":") ?? host.endIndex)]
        return name == "localhost" || name == "[::1]"
            || name.hasPrefix("127.") && name.allSatisfy { "0123456789.".contains($0) }
    }

    func route(_ request: HTTPRequest) -> Route {
        guard request.method == "GET" || request.method == "HEAD" else {
            return .refused(HTTPReply(405, "only GET and HEAD", headers: [("Allow", "GET, HEAD")]))
        }
        if request.hasBody { return .refused(HTTPReply(400, "a request has no body here")) }
        // It tells nothing, and what asks for it often can't send a token.
        if request.path == "/healthz" { return .health }
        if let token {
            guard token.isIn(authorization: request.authorization) else {
                return .refused(
                    HTTPReply(401, "a bearer token is needed", headers: [("WWW-Authenticate", "Bearer realm=\"cfic\"")])
                )
            }
        } else if !Self.isLocal(request.host) {
            return .refused(HTTPReply(403, "not served under this host name: use the address, or a token"))
        }
        switch request.path {
        case "/metrics": return .metrics
        case "/profile": return profile(request, .pprof)
        case "/flamegraph": return profile(request, .flameGraph)
        default: return .refused(HTTPReply(404, "there are /metrics, /profile, /flamegraph and /healthz"))
        }
    }

    private func profile(_ request: HTTPRequest, _ format: ServedFormat) -> Route {
        guard let seconds = request.seconds.map({ Int($0) }) ?? Self.usual, (1...Self.longest).contains(seconds) else {
            return .refused(HTTPReply(400, "seconds is a number from 1 to \(Self.longest)"))
        }
        return .profile(.seconds(seconds), format)
    }
}
