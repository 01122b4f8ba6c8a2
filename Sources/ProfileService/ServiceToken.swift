import Files
import Glibc

/// A secret that clients send as bearer token (RFC 6750).
public struct ServiceToken: Sendable {
    private let bytes: [UInt8]

    /// Reads the token: the file's contents, without spaces and line breaks around it.
    ///
    /// - Throws: ``ServiceError`` if it can't be read, if others can read it, or if it is no token of at least 16 characters.
    public init(file path: String) throws(ServiceError) {
        try self.init(SecretFile.read(path), file: path)
    }

    init(_ text: String, file path: String) throws(ServiceError) {
        let token = text.drop { $0.isWhitespace }
        let end = token.lastIndex { !$0.isWhitespace }.map { token.index(after: $0) } ?? token.endIndex
        bytes = Array(token[..<end].utf8)
        guard bytes.count >= 16 else { throw .refused("\(path): a token has at least 16 characters") }
        guard bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .refused("\(path): a token has only visible ASCII characters")
        }
    }

    /// Whether the value of an `Authorization` header has it. Takes the same time for each wrong token of its length.
    func isIn(authorization: String?) -> Bool {
        guard let authorization else { return false }
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        let given = Array(parts[1].utf8)
        guard given.count == bytes.count else { return false }
        return zip(given, bytes).reduce(UInt8(0)) { $0 | $1.0 ^ $1.1 } == 0
    }
}

/// Files with secrets.
enum SecretFile {
    /// - Throws: ``ServiceError`` if the file can't be read, if all users can read it, or if it has more than 64 KiB.
    static func read(_ path: String) throws(ServiceError) -> String {
        guard let file = Descriptor(opening: path, O_RDONLY) else { throw .system("cannot read \(path)", errno: errno) }
        guard let status = file.status() else { throw .system("cannot read \(path)", errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .refused("\(path) is not a regular file") }
        guard status.st_mode & S_IROTH == 0 else {
            throw .refused("\(path) has a secret and can be read by all users: chmod o-r it")
        }
        let bytes = file.read(limit: 65_537)
        guard bytes.count <= 65_536 else { throw .refused("\(path) is too large") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
