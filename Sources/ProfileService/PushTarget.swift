import Files
import FoundationEssentials
import Glibc
import ProfileFormats

/// A server that profiles are pushed to.
public struct PushTarget: Sendable {
    /// What a server takes.
    public enum Format: String, Sendable, CaseIterable {
        /// OpenTelemetry profiles, as protocol buffers over HTTP.
        case otlp
        /// pprof, as Pyroscope takes it.
        case pyroscope
        /// pprof in JSON, as Parca takes it.
        case parca

        /// The path that servers take it at.
        var path: String {
            switch self {
            case .otlp: "/v1development/profiles"
            case .pyroscope: "/ingest"
            case .parca: "/profiles/writeraw"
            }
        }
    }

    /// Without user, query and fragment: what messages and metrics have.
    public let name: String
    /// What the server takes.
    public let format: Format
    private let url: String
    /// `Name: value`.
    private let headers: [String]
    private let host: String

    /// - Parameters:
    ///   - url: of http or https. Its path tells the format: `/v1development/profiles` or none OTLP, `/ingest` Pyroscope,
    ///     `/profiles/writeraw` Parca.
    ///   - format: the format, whatever the path is.
    ///   - headers: `Name: value`, sent with each push.
    ///   - host: the name of this machine.
    /// - Throws: ``ServiceError`` if the URL is none, or doesn't tell the format.
    public init(
        url: String, format: Format? = nil, headers: [String] = [], host: String = Self.hostName
    ) throws(ServiceError) {
        // It is quoted in metrics and given to a library.
        guard url.utf8.allSatisfy({ (0x21...0x7e).contains($0) && !"\"\\<>".utf8.contains($0) }),
            let scheme = ["http://", "https://"].first(where: { url.lowercased().hasPrefix($0) })
        else { throw .refused("'\(url)' is not a URL of http or https") }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { !"/?#".contains($0) }
        guard !authority.isEmpty, !rest.contains("#") else { throw .refused("'\(url)' is not a URL of http or https") }
        guard !authority.contains("@") else {
            throw .refused("a URL with a password is seen by all users of this machine: use --push-header-file")
        }
        var path = rest.dropFirst(authority.count).prefix { $0 != "?" }
        let query = rest.dropFirst(authority.count + path.count)
        while path.hasSuffix("/") { path.removeLast() }
        let told = Format.allCases.first { path.hasSuffix($0.path) }
        guard let used = format ?? told ?? (path.isEmpty ? .otlp : nil) else {
            throw .refused(
                "the path of '\(url)' doesn't tell what the server takes: "
                    + Format.allCases.map { "\($0.path) \($0.rawValue)" }.joined(separator: ", ")
                    + "; or use --push-format"
            )
        }
        self.format = used
        let base = scheme + authority + (path.isEmpty ? used.path : String(path))
        (name, self.url) = (base, base + query)
        (self.headers, self.host) = (headers, host)
    }

    /// Headers in a file, one a line: `Name: value`. Empty lines and those that begin with `#` are left out.
    ///
    /// - Throws: ``ServiceError`` if the file can't be read, if all users can read it, or if a line is no header.
    public static func headers(file path: String) throws(ServiceError) -> [String] {
        var headers: [String] = []
        let lines = try SecretFile.read(path).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            if line.allSatisfy(\.isWhitespace) || line.hasPrefix("#") { continue }
            // Not the line itself: it is a secret.
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
                line[..<colon].utf8.allSatisfy({
                    $0 == 0x2d || $0 == 0x5f || Character(UnicodeScalar($0)).isASCIIAlphanumeric
                }),
                line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
            else { throw .refused("\(path), line \(index + 1): a header is 'Name: value'") }
            headers.append(String(line))
        }
        return headers
    }

    /// This machine's name; empty if it has none.
    public static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Messages

    /// What is sent for a profile.
    ///
    /// - Parameter version: cfic's.
    func message(_ interval: IntervalProfile, version: String) throws -> PushMessage {
        switch format {
        case .otlp:
            let resource = [("service.name", "cfic"), ("host.name", host), ("os.type", "linux")]
            let body = OTLPFormat(began: interval.began, resource: resource, version: version).bytes(interval.profile)
            return PushMessage(url: url, headers: headers + ["Content-Type: application/x-protobuf"], body: body)
        case .pyroscope:
            let until = interval.began / 1_000_000_000 + UInt64(max(interval.profile.seconds, 0).rounded(.up))
            let arguments = [
                ("name", "cfic{host=\"\(Self.label(host))\"}"), ("from", "\(interval.began / 1_000_000_000)"),
                ("until", "\(until)"), ("format", "pprof"), ("spyName", "cfic"),
            ]
            let query = arguments.map { "\($0.0)=\(Self.escaped($0.1))" }.joined(separator: "&")
            return PushMessage(
                url: url + (url.contains("?") ? "&" : "?") + query,
                headers: headers + ["Content-Type: application/octet-stream"], body: try Self.pprof(interval))
        case .parca:
            let series = WriteRaw.Series(
                labels: .init(labels: [.init(name: "__name__", value: "cfic"), .init(name: "instance", value: host)]),
                samples: [.init(rawProfile: Data(try Self.pprof(interval)))])
            let body = Array(try JSONEncoder().encode(WriteRaw(normalized: true, series: [series])))
            return PushMessage(url: url, headers: headers + ["Content-Type: application/json"], body: body)
        }
    }

    private static func pprof(_ interval: IntervalProfile) throws -> [UInt8] {
        var bytes = ByteBuffer()
        try PprofFormat(began: interval.began).write(interval.profile, to: &bytes)
        return bytes.bytes
    }

    /// Without what would end a label's value.
    private static func label(_ text: String) -> String { text.filter { !"\"\\{},=".contains($0) } }

    /// Percent-encoded (RFC 3986, 2.1).
    private static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { escaped, byte in
            if Character(UnicodeScalar(byte)).isASCIIAlphanumeric || "-._~".utf8.contains(byte) {
                escaped.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                escaped += "%" + Hex.text([byte]).uppercased()
            }
        }
    }
}

extension Character {
    fileprivate var isASCIIAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}

/// Parca's `WriteRawRequest` as JSON (https://github.com/parca-dev/parca/blob/main/proto/parca/profilestore/v1alpha1).
private struct WriteRaw: Encodable {
    struct Label: Encodable { var name, value: String }
    struct Labels: Encodable { var labels: [Label] }
    /// JSON has bytes in base 64, as `JSONEncoder` writes them.
    struct Sample: Encodable { var rawProfile: Data }
    struct Series: Encodable {
        var labels: Labels
        var samples: [Sample]
    }
    /// Addresses are those in the file.
    var normalized: Bool
    var series: [Series]
}

/// An HTTP request that pushes a profile.
struct PushMessage: Sendable, Equatable {
    var url: String
    /// `Name: value`.
    var headers: [String]
    var body: [UInt8]
}
