/// Collects text as bytes and hands it on in pieces, so that a listing of any length takes little memory.
struct ListingText: ~Copyable {
    private var bytes = GrowableBuffer<UInt8>()
    private let write: (String) -> Void

    /// Bytes after which a piece is handed on; lines and cells are short.
    private static var pieceSize: Int { 1 << 16 }

    init(write: @escaping (String) -> Void, reserving capacity: Int = pieceSize + 4096) {
        self.write = write
        bytes.reserveCapacity(capacity)
    }

    /// Hands on what there is.
    mutating func flush() {
        guard !bytes.isEmpty else { return }
        write(String(decoding: bytes.elements, as: UTF8.self))
        bytes.removeAll()
    }

    /// Called often enough (each line, row, operation), keeps the text small.
    mutating func flushIfLarge() {
        if bytes.count >= Self.pieceSize { flush() }
    }

    mutating func append(_ text: String) {
        for byte in text.utf8 { bytes.append(byte) }
    }

    mutating func append(_ text: StaticString) {
        for byte in UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount) { bytes.append(byte) }
    }

    mutating func append(byte: UInt8) { bytes.append(byte) }

    mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        flushIfLarge()
    }

    /// Appends `text` and blanks up to `width`, and one more.
    mutating func appendCell(_ text: String, width: Int) {
        append(text)
        pad(from: text.utf8.count, to: width)
    }

    /// Blanks that fill a cell of `width`, of which `used` bytes are taken, and one more.
    mutating func pad(from used: Int, to width: Int) {
        for _ in 0...max(width - used, 0) { bytes.append(UInt8(ascii: " ")) }
    }

    /// Where the next byte goes; two of these tell how many bytes were appended, unless a flush came between.
    var count: Int { bytes.count }

    /// The low `digits` hexadecimal digits of a number, with leading zeros.
    mutating func append(hex value: UInt64, digits: Int) {
        var shift = UInt64(digits * 4)
        while shift > 0 {
            shift -= 4
            let digit = UInt8(truncatingIfNeeded: value &>> shift & 0xf)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
        }
    }

    /// A hexadecimal number without leading zeros.
    mutating func append(hex value: UInt64) {
        append(hex: value, digits: max(1, (64 - value.leadingZeroBitCount + 3) / 4))
    }

    mutating func append(decimal value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    /// With the sign that joins it to what stands before.
    mutating func append(signed value: Int64) {
        if value >= 0 { bytes.append(UInt8(ascii: "+")) }
        append(decimal: value)
    }

    mutating func append(decimal value: UInt64) {
        if value < 10 { return bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value)) }
        var power: UInt64 = 10
        while value / power >= 10 { power *= 10 }
        while power > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / power % 10))
            power /= 10
        }
    }

    /// Bytes of a file as text; what isn't printable ASCII as `\x1b`.
    mutating func append(escaping text: UnsafeRawBufferPointer) {
        for byte in text {
            if (0x20..<0x7f).contains(byte) {
                bytes.append(byte)
            } else {
                append("\\x" as StaticString)
                append(hex: UInt64(byte), digits: 2)
            }
            flushIfLarge()
        }
    }
}

extension ListingText {
    /// `r7 (rsp)`, or `r99`.
    mutating func append(register: UInt64, _ names: borrowing RegisterNames) {
        append(byte: UInt8(ascii: "r"))
        append(decimal: register)
        if let name = names.name(register) {
            append(" (" as StaticString)
            append(name)
            append(byte: UInt8(ascii: ")"))
        }
    }
}

extension ListingText {
    /// What `body` appends, as a string.
    static func string(_ body: (inout ListingText) -> Void) -> String {
        var result = ""
        withoutActuallyEscaping({ result += $0 }) { write in
            var text = ListingText(write: write, reserving: 0)
            body(&text)
            text.flush()
        }
        return result
    }
}
