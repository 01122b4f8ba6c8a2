import Files

/// Collects text, and passes it on in large pieces.
struct PieceWriter {
    private var bytes: [UInt8] = []

    private static let pieceSize = 1 << 16

    init() { bytes.reserveCapacity(Self.pieceSize * 2) }

    /// What was not passed on.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ text: [UInt8]) { bytes += text }

    mutating func append(_ text: UnsafeRawBufferPointer) { bytes += text }

    mutating func append(_ text: String) { bytes += text.utf8 }

    /// A string of JSON.
    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                append(Hex.text(byte, digits: 2))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// - Parameter digits: at least so many, with zeros in front.
    mutating func append(decimal value: UInt64, digits: Int = 1) {
        let start = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0 || bytes.count - start < digits
        bytes[start...].reverse()
    }

    mutating func append(decimal value: Int) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(decimal: UInt64(value.magnitude))
    }

    /// Passes on what there is, if it is enough to be worth it.
    mutating func flushIfLarge(to output: inout some ByteSink) {
        if bytes.count >= Self.pieceSize { flush(to: &output) }
    }

    mutating func flush(to output: inout some ByteSink) {
        bytes.withUnsafeBytes { output.write($0) }
        bytes.removeAll(keepingCapacity: true)
    }

    /// As ``flushIfLarge(to:)``, compressed.
    mutating func flushIfLarge(_ gzip: borrowing GzipSink, to output: inout some ByteSink) {
        if bytes.count >= Self.pieceSize { flush(gzip, to: &output) }
    }

    mutating func flush(_ gzip: borrowing GzipSink, to output: inout some ByteSink) {
        bytes.withUnsafeBytes { gzip.write($0, to: &output) }
        bytes.removeAll(keepingCapacity: true)
    }
}
