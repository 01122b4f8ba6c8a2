/// Collects text as bytes and writes it in pieces, so that a listing of any length takes little memory.
struct ListingText: ~Copyable {
    private var bytes = GrowableBuffer<UInt8>()
    private let write: (String) -> Void

    /// Size from which a piece is written, in bytes. Lines and cells are short, so pieces get hardly larger.
    private static var pieceSize: Int { 1 << 16 }

    init(write: @escaping (String) -> Void, reserving capacity: Int = pieceSize + 4096) {
        self.write = write
        bytes.reserveCapacity(capacity)
    }

    /// Writes the collected text.
    mutating func flush() {
        guard !bytes.isEmpty else { return }
        write(String(decoding: bytes.elements, as: UTF8.self))
        bytes.removeAll()
    }

    /// Called after each line, row and operation, this keeps the text small.
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

    /// Appends `text`, padded with spaces to `width`, and one more space.
    mutating func appendCell(_ text: String, width: Int) {
        append(text)
        pad(from: text.utf8.count, to: width)
    }

    /// Appends the spaces that fill a cell of `width` after `used` bytes, and one more.
    mutating func pad(from used: Int, to width: Int) {
        for _ in 0...max(width - used, 0) { bytes.append(UInt8(ascii: " ")) }
    }

    /// Number of bytes collected. The difference of two counts is the number of bytes appended if no flush came in
    /// between.
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

    /// Appends a number with its sign, also if it is positive.
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

    /// Appends bytes of a file as text. Bytes that aren't printable ASCII become `\x1b` and the like.
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
    /// The text that `body` appends.
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
