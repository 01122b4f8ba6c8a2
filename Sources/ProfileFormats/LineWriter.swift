import Files

/// Lines that are written again and again, one after the other in memory.
struct MadeLines {
    /// Each line can be copied in blocks of ``LineWriter/block`` bytes: so many bytes follow the last one.
    fileprivate private(set) var bytes: [UInt8] = []
    private var ends: [Int] = []

    /// - Parameter make: the text of each element.
    init<Element>(_ elements: some Sequence<Element>, _ make: (Element) -> String) {
        for element in elements {
            bytes += make(element).utf8
            ends.append(bytes.count)
        }
        bytes += repeatElement(0, count: LineWriter.block)
    }

    /// The bytes of a line, by its number.
    fileprivate subscript(_ number: Int) -> Range<Int> { (number == 0 ? 0 : ends[number - 1])..<ends[number] }
}

/// Collects lines and numbers, and passes them on in large pieces. A million samples have thirty million lines: they are copied in
/// blocks, without a call for each.
struct LineWriter: ~Copyable {
    static let block = 64
    private static let size = 1 << 18
    /// For `size` bytes, and what a block may have behind its line.
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.size + Self.block, alignment: Self.block)
    /// At most `size`.
    private var count = 0

    deinit { memory.deallocate() }

    /// Appends a line.
    ///
    /// - Parameters:
    ///   - number: the line's number.
    ///   - lines: what it is one of.
    ///   - start: where to begin in it, in bytes.
    ///   - output: where pieces go that are full.
    mutating func append(
        _ number: Int, of lines: borrowing MadeLines, from start: Int = 0, to output: inout some ByteSink
    ) {
        let whole = lines[number], line = whole.lowerBound + start..<whole.upperBound
        if line.count > Self.size - count { flush(to: &output) }
        lines.bytes.withUnsafeBytes { bytes in
            if line.count > Self.size { return output.write(UnsafeRawBufferPointer(rebasing: bytes[line])) }
            guard let start = bytes.baseAddress else { return }
            let (source, target) = (start + line.lowerBound, memory + count)
            // From each block's first byte, which is one of the line, `block` bytes follow on both sides: behind the last line,
            // and behind `size`, which the line doesn't exceed.
            var copied = 0
            repeat {
                let block = (source + copied).loadUnaligned(as: SIMD64<UInt8>.self)
                (target + copied).storeBytes(of: block, as: SIMD64<UInt8>.self)
                copied += Self.block
            } while copied < line.count
            count += line.count
        }
    }

    /// Appends ASCII text of at most `block` bytes.
    mutating func append(_ text: StaticString, to output: inout some ByteSink) {
        makeRoom(to: &output)
        (memory + count).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        count += text.utf8CodeUnitCount
    }

    /// - Parameter digits: at least so many, with zeros in front.
    mutating func append(decimal value: UInt64, digits: Int = 1, to output: inout some ByteSink) {
        makeRoom(to: &output)
        var length = digits, limit = value
        for _ in 1..<digits { limit /= 10 }
        while limit >= 10 { (limit, length) = (limit / 10, length + 1) }
        var rest = value
        for place in stride(from: length - 1, through: 0, by: -1) {
            (memory + count + place).storeBytes(of: UInt8(ascii: "0") + UInt8(rest % 10), as: UInt8.self)
            rest /= 10
        }
        count += length
    }

    /// - Parameter digits: at most so many, which are enough, with blanks in front.
    mutating func append(hexadecimal value: UInt64, digits: Int, to output: inout some ByteSink) {
        makeRoom(to: &output)
        var rest = value
        for place in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(rest & 15), isBlank = rest == 0 && place < digits - 1
            let character = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
            (memory + count + place).storeBytes(of: isBlank ? UInt8(ascii: " ") : character, as: UInt8.self)
            rest >>= 4
        }
        count += digits
    }

    mutating func append(decimal value: Int, to output: inout some ByteSink) {
        if value < 0 { append("-", to: &output) }
        append(decimal: UInt64(value.magnitude), to: &output)
    }

    /// For a block at most.
    private mutating func makeRoom(to output: inout some ByteSink) {
        if Self.size - count < Self.block { flush(to: &output) }
    }

    mutating func flush(to output: inout some ByteSink) {
        output.write(UnsafeRawBufferPointer(start: memory, count: count))
        count = 0
    }
}
