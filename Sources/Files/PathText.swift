/// Paths as strings that preserve their bytes.
///
/// To the system, a path consists of bytes other than 0; a `String` is Unicode. A byte that isn't part of valid UTF-8
/// becomes a private-use scalar, U+10FF00 plus the byte, and becomes the byte again in system calls (like Python's
/// "surrogateescape"). If a path itself contains such scalars, their bytes are converted the same way, so different
/// paths have different strings.
extension String {
    /// The path with these bytes, up to the first 0.
    @inlinable
    public init(path bytes: some Sequence<UInt8>) {
        self = Array(bytes).withUnsafeBytes { String(path: $0) }
    }

    /// As `init(path:)` of a sequence, without a copy.
    public init(path bytes: UnsafeRawBufferPointer) {
        let all = bytes.bindMemory(to: UInt8.self)
        let path = UnsafeBufferPointer(rebasing: all[..<(all.firstIndex(of: 0) ?? all.count)])
        if let text = String(validating: path, as: UTF8.self), !text.mayHoldKeptBytes {
            self = text
            return
        }
        self.init()
        var rest = Array(path)[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
            let scalar = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars
            if let scalar, scalar.count == 1, let only = scalar.first, only.keptByte == nil {
                unicodeScalars.append(only)
                rest = rest.dropFirst(length)
            } else {
                unicodeScalars.append(Unicode.Scalar(keeping: first))
                rest = rest.dropFirst()
            }
        }
    }

    /// As `init(path:)`, from a C string.
    public init(path start: UnsafePointer<CChar>) {
        var end = start
        while end.pointee != 0 { end += 1 }
        self.init(path: UnsafeRawBufferPointer(start: start, count: end - start))
    }

    /// The bytes of the path.
    public var pathBytes: [UInt8] {
        guard mayHoldKeptBytes else { return Array(utf8) }
        return unicodeScalars.reduce(into: []) { bytes, scalar in
            if let byte = scalar.keptByte { bytes.append(byte) } else { bytes += UTF8.encode(scalar) ?? .init() }
        }
    }

    /// Calls `body` with the path for the system, terminated by 0. The pointer is valid during the call.
    public func withPath<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        guard mayHoldKeptBytes else { return try withCString(body) }
        return try (pathBytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            // Never nil: the buffer contains at least the 0.
            try body(buffer.baseAddress.unsafelyUnwrapped)
        }
    }

    /// The path for people, with invalid bytes as `\xff`.
    public var readable: String {
        guard mayHoldKeptBytes else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if let byte = scalar.keptByte {
                text += "\\x" + Hex.text(byte, digits: 2)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    /// The UTF-8 of these scalars starts with this byte, which other text hardly ever contains.
    private var mayHoldKeptBytes: Bool { utf8.contains(0xf4) }
}

extension Unicode.Scalar {
    /// U+10FF80 to U+10FFFF: bytes below 0x80 are always valid UTF-8.
    fileprivate init(keeping byte: UInt8) {
        // All of 0x10ff00...0x10ffff are valid scalars.
        self = Unicode.Scalar(0x10ff00 | UInt32(byte)).unsafelyUnwrapped
    }

    fileprivate var keptByte: UInt8? {
        (0x10ff80...0x10ffff).contains(value) ? UInt8(truncatingIfNeeded: value) : nil
    }
}
