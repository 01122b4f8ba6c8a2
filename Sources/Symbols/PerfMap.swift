import ELF
import Files
import Glibc
import Search

/// Names of generated code, from a file with lines such as `7f2a10c0 1a0 LazyCompile:*f /app/main.js:3`: start and size in
/// hexadecimal, and a name (Linux, tools/perf/Documentation/jit-interface.txt). Code moves: of the lines that cover an
/// address, the last one counts.
///
/// Any process can write such a file, so it is read in pieces, and memory depends on the addresses that were asked for.
package struct PerfMap {
    /// Bytes that are read, the last ones of the file.
    static let sizeLimit: UInt64 = 256 << 20
    /// Bytes of a name that are read.
    private static let nameLimit = 1 << 20
    /// Bytes in which a line's numbers are: two of 16 digits, perhaps with 0x.
    private static let headLimit = 64

    /// AVMAs, ascending.
    private let addresses: [UInt64]
    private var cover: LatestCover
    /// Why names may be missing.
    package private(set) var problem: String?
    /// By address; nil if no line covers it.
    package private(set) var names: [String?] = []

    /// - Parameters:
    ///   - file: may change meanwhile.
    ///   - name: for messages.
    ///   - addresses: AVMAs, ascending, each once.
    package init(_ file: borrowing Descriptor, name: String, addresses: [UInt64], pieceSize: Int = 1 << 20) {
        self.addresses = addresses
        cover = LatestCover(count: addresses.count)
        let size = UInt64(max(0, file.status()?.st_size ?? 0))
        let start = size - min(size, Self.sizeLimit)
        if start > 0 { problem = "\(name): only the last \(Self.sizeLimit >> 20) MiB of \(size >> 20) were read" }
        // A line may be cut off there.
        scan(file, from: start, to: size, pieceSize, skipsFirst: start > 0)
        names = readNames(file)
    }

    private mutating func scan(
        _ file: borrowing Descriptor, from start: UInt64, to end: UInt64, _ pieceSize: Int, skipsFirst: Bool
    ) {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceSize, alignment: 16)
        defer { piece.deallocate() }
        /// Where the piece is in the file, and how many of its bytes are left of the piece before.
        var (offset, kept) = (start, 0)
        var skips = skipsFirst
        while offset + UInt64(kept) < end {
            let wanted = min(UInt64(piece.count - kept), end - offset - UInt64(kept))
            let count = file.read(
                at: offset + UInt64(kept),
                into: UnsafeMutableRawBufferPointer(rebasing: piece[kept..<kept + Int(wanted)]))
            if count == 0 { break }
            let filled = UnsafeRawBufferPointer(rebasing: piece[..<(kept + count)])
            let used = lines(of: filled, at: offset, &skips)
            // A line is longer than the piece: its end is of no interest.
            if used == 0, filled.count == piece.count {
                line(filled, at: offset)
                skips = true
                (offset, kept) = (offset + UInt64(filled.count), 0)
            } else {
                kept = filled.count - used
                piece.baseAddress.map { _ = memmove($0, $0 + used, kept) }
                offset += UInt64(used)
            }
        }
        // The last line, which has no end.
        if kept > 0, !skips { line(UnsafeRawBufferPointer(rebasing: piece[..<kept]), at: offset) }
    }

    /// Reads the whole lines of a piece, and returns how many bytes these have.
    private mutating func lines(of piece: UnsafeRawBufferPointer, at offset: UInt64, _ skips: inout Bool) -> Int {
        var start = 0
        while start < piece.count, let base = piece.baseAddress,
            let end = memchr(base + start, Int32(UInt8(ascii: "\n")), piece.count - start)
        {
            let next = UnsafeRawPointer(end) - base
            if !skips {
                line(UnsafeRawBufferPointer(rebasing: piece[start..<next]), at: offset + UInt64(start))
            }
            skips = false
            start = next + 1
        }
        // The rest of a line that is skipped is not kept.
        return skips ? piece.count : start
    }

    private mutating func line(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        var head = LineHead(bytes.prefix(Self.headLimit))
        guard let start = head.number(), let size = head.number(), head.index < bytes.count else { return }
        let (end, overflow) = start.addingReportingOverflow(size)
        let first = addresses.partitioningIndex { $0 >= start }
        // Most lines are of code that was not sampled.
        guard first < addresses.count, overflow || addresses[first] < end else { return }
        let last = overflow ? addresses.count : addresses.partitioningIndex { $0 >= end }
        cover.cover(first..<last, stamp: offset + UInt64(head.index) + 1)
    }

    private func readNames(_ file: borrowing Descriptor) -> [String?] {
        var known: [UInt64: String?] = [:]
        return addresses.indices.map { index in
            guard let stamp = cover.latest(at: index) else { return nil }
            if let name = known[stamp] { return name }
            let name = Self.name(file, at: stamp - 1, end: UInt8(ascii: "\n"))
            known[stamp] = .some(name)
            return name
        }
    }

    /// The text up to the byte `end`; nil if it is empty.
    static func name(_ file: borrowing Descriptor, at offset: UInt64, end: UInt8) -> String? {
        // Nearly all are short.
        for limit in [512, nameLimit] {
            let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
                count = file.read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
            let end = bytes.firstIndex(of: end)
            if end == nil, bytes.count == limit, limit < nameLimit { continue }
            return bytes.withUnsafeBytes { bytes in
                let name = bytes[..<(end ?? bytes.endIndex)]
                return name.isEmpty ? nil : FunctionSymbols.shortened(name)
            }
        }
        return nil
    }
}

/// The numbers at the start of a line.
private struct LineHead {
    private let bytes: Slice<UnsafeRawBufferPointer>
    private(set) var index: Int

    init(_ bytes: Slice<UnsafeRawBufferPointer>) { (self.bytes, index) = (bytes, bytes.startIndex) }

    /// A hexadecimal number, which a space ends; nil if there is none.
    mutating func number() -> UInt64? {
        if bytes[index...].starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")]) { index += 2 }
        var (value, digits) = (UInt64(0), 0)
        while index < bytes.endIndex, let digit = Self.digit(bytes[index]), digits <= 16 {
            value = value << 4 | digit
            (index, digits) = (index + 1, digits + 1)
        }
        guard (1...16).contains(digits), index < bytes.endIndex, bytes[index] == UInt8(ascii: " ") else { return nil }
        while index < bytes.endIndex, bytes[index] == UInt8(ascii: " ") { index += 1 }
        return value
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x41...0x46: UInt64(byte - 0x37)
        case 0x61...0x66: UInt64(byte - 0x57)
        default: nil
        }
    }
}
