/// Reads the numbers and texts in a .cfic file, and decompresses them meanwhile. It may be hostile: nothing is taken for
/// granted.
struct NumberReader {
    /// Not in UTF-8.
    static let endOfText: UInt8 = 0xff

    private let file: [UInt8]
    private let decoder: XZDecoder
    private let limit: Int
    /// In the file: where decompression goes on.
    private var next = CFICFile.headerSize
    /// Of the contents: what was decompressed last, and how many bytes came before.
    private var piece = [UInt8](repeating: 0, count: 1 << 16), passed = 0
    /// In the piece.
    private var position = 0, count = 0
    private var isAtEnd = false

    /// Checks the header.
    init(_ file: [UInt8]) throws(ProfileProblem) {
        guard file.starts(with: CFICFile.magic) else { throw ProfileProblem("not a profile of cfic", at: 0) }
        guard file.count >= CFICFile.headerSize else { throw ProfileProblem("the file is cut off", at: file.count) }
        let start = CFICFile.magic.count
        let version = (0..<4).reduce(0 as UInt32) { $0 | UInt32(file[start + $1]) << ($1 * 8) }
        guard version == CFICFile.version else {
            throw ProfileProblem(
                "version \(version) of the format; this cfic reads version \(CFICFile.version)", at: start)
        }
        guard let decoder = try? XZDecoder() else { throw ProfileProblem("not enough memory to decompress it") }
        (self.file, self.decoder, limit) = (file, decoder, CFICFile.contentsLimit(fileSize: file.count))
    }

    /// What is wrong with the contents that were read last.
    func problem(_ text: String) -> ProfileProblem {
        ProfileProblem("\(text) (byte \(passed + position) of the contents)", at: next)
    }

    /// Decompresses the next piece.
    private mutating func advance() throws(ProfileProblem) {
        guard !isAtEnd else { throw problem("the contents end too early") }
        passed += count
        (position, count) = (0, 0)
        while count == 0, !isAtEnd {
            let (outcome, read, written) = piece.withUnsafeMutableBufferPointer { [file, decoder, next] piece in
                file.withUnsafeBufferPointer {
                    decoder.step(UnsafeBufferPointer(rebasing: $0[next...]), into: piece)
                }
            }
            next += read
            count = written
            switch outcome {
            case .more: break
            case .end: isAtEnd = true
            case .cutOff: throw ProfileProblem("the file is cut off", at: file.count)
            case .broken(let text): throw ProfileProblem(text, at: next)
            }
        }
        if passed + count > limit { throw ProfileProblem("it expands to more than \(limit) bytes", at: next) }
    }

    @inline(__always)
    mutating func byte() throws(ProfileProblem) -> UInt8 {
        while position == count { try advance() }
        defer { position += 1 }
        return piece[position]
    }

    /// Seven bits a byte, the lowest first; all bytes but the last have the highest bit set.
    ///
    /// - Parameters:
    ///   - limit: the largest number that is allowed.
    ///   - what: names it in errors.
    mutating func number(
        upTo limit: UInt64 = .max, _ what: @autoclosure () -> String
    ) throws(ProfileProblem) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                if value > limit { throw problem("\(what()) \(value) is out of bounds") }
                return value
            }
        }
        throw problem("\(what()) is longer than 64 bits")
    }

    /// A number less than `count`.
    mutating func index(below count: Int, _ what: @autoclosure () -> String) throws(ProfileProblem) -> UInt32 {
        let value = try number(what())
        guard value < count else { throw problem("\(what()) \(value) is out of bounds") }
        return UInt32(value)
    }

    /// A number that may be negative: 0, -1, 1, -2 … are 0, 1, 2, 3 ….
    mutating func signed(_ what: @autoclosure () -> String) throws(ProfileProblem) -> Int64 {
        let value = try number(what())
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func double() throws(ProfileProblem) -> Double {
        var bits: UInt64 = 0
        for shift in 0..<8 { bits |= UInt64(try byte()) << (shift * 8) }
        return Double(bitPattern: bits)
    }

    /// UTF-8.
    mutating func text() throws(ProfileProblem) -> String {
        var bytes: [UInt8] = []
        while true {
            let byte = try byte()
            if byte == Self.endOfText { break }
            bytes.append(byte)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw problem("a text is not UTF-8") }
        return text
    }

    /// Checks that all was read, and that the file ends here.
    mutating func finish() throws(ProfileProblem) {
        if position == count, !isAtEnd { try advance() }
        guard position == count, isAtEnd else { throw problem("there are contents behind the end") }
    }
}
