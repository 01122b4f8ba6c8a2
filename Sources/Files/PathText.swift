/// Paths as strings that keep their bytes.
///
/// To the system a path is bytes, any but 0; a `String` is Unicode. A byte that is no part of UTF-8 is kept as a scalar
/// of private use, U+10FF00 above it, and becomes the byte again where the system is asked (what Python calls
/// "surrogateescape"). Such scalars in a path itself are kept byte by byte, so that no two paths have one string.
extension String {
    /// The path of these bytes, up to the first 0.
    public init(path bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes.prefix { $0 != 0 })
        if let text = String(validating: bytes, as: UTF8.self), !text.mayHoldKeptBytes {
            self = text
            return
        }
        self.init()
        var rest = bytes[...]
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

    /// As `init(path:)`, of a string of C.
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

    /// Gives `body` the path as the system takes it, ended by 0; the pointer is valid during the call.
    public func withPath<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        guard mayHoldKeptBytes else { return try withCString(body) }
        return try (pathBytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            // Not empty: it has the 0.
            try body(buffer.baseAddress.unsafelyUnwrapped)
        }
    }

    /// The path for a person to read: kept bytes as `\xff`.
    public var readable: String {
        guard mayHoldKeptBytes else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if let byte = scalar.keptByte {
                text += "\\x" + Hex.text(CollectionOfOne(byte))
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    /// The scalars above U+100000 begin with this byte, and hardly any other text has it.
    private var mayHoldKeptBytes: Bool { utf8.contains(0xf4) }
}

extension Unicode.Scalar {
    /// U+10FF80 to U+10FFFF: no byte below 0x80 needs to be kept.
    fileprivate init(keeping byte: UInt8) {
        // 0x10ff00...0x10ffff are scalars.
        self = Unicode.Scalar(0x10ff00 | UInt32(byte)).unsafelyUnwrapped
    }

    fileprivate var keptByte: UInt8? {
        (0x10ff80...0x10ffff).contains(value) ? UInt8(truncatingIfNeeded: value) : nil
    }
}
