import Glibc
import Search

/// The bytes of code that no call frame information covers: which of them were reached, and where instructions begin.
///
/// Two bits for each byte; memory that is never written to costs nothing.
struct GapBytes: ~Copyable {
    struct Gap {
        /// SVMAs.
        var range: Range<UInt64>
        var bytes: UnsafeRawBufferPointer
        /// Number of its first byte among those of all gaps.
        var first: Int
    }

    /// In ascending address order, disjoint. None goes beyond a piece of the file.
    let gaps: [Gap]
    /// Of all gaps.
    let byteCount: Int
    private let starts: UnsafeMutablePointer<UInt8>
    private let rests: UnsafeMutablePointer<UInt8>

    /// - Parameters:
    ///   - ranges: ascending, disjoint.
    ///   - pieces: ascending, disjoint.
    init(_ ranges: [Range<UInt64>], in pieces: [ProgramCode.Piece]) {
        var gaps: [Gap] = []
        var count = 0
        var piece = 0
        for range in ranges {
            var start = range.lowerBound
            while start < range.upperBound, piece < pieces.count {
                let (address, bytes) = (pieces[piece].address, pieces[piece].bytes)
                let end = address &+ UInt64(bytes.count)
                guard end > start else {
                    piece += 1
                    continue
                }
                let part = max(start, address)..<max(start, address, min(end, range.upperBound))
                guard !part.isEmpty, part.lowerBound < range.upperBound else { break }
                let offset = Int(part.lowerBound - address)
                gaps.append(
                    Gap(
                        range: part, bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + part.count]),
                        first: count))
                count += part.count
                start = part.upperBound
            }
        }
        self.gaps = gaps
        byteCount = count
        starts = Self.zeros(count / 8 + 1)
        rests = Self.zeros(count / 8 + 1)
    }

    deinit {
        free(starts)
        free(rests)
    }

    private static func zeros(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        guard let memory = calloc(count, 1) else { fatalError("out of memory for \(count) bytes") }
        return memory.bindMemory(to: UInt8.self, capacity: count)
    }

    /// The number of the gap that has an address.
    func gap(at address: UInt64) -> Int? {
        guard let index = gaps.lastIndex(atMost: address, by: \.range.lowerBound),
            address < gaps[index].range.upperBound
        else { return nil }
        return index
    }

    /// Whether an instruction begins at a byte. Bytes are numbered as `Gap.first`.
    func isStart(_ byte: Int) -> Bool { starts[byte &>> 3] &>> UInt8(truncatingIfNeeded: byte & 7) & 1 != 0 }
    /// Whether an instruction that was reached goes on across a byte.
    func isRest(_ byte: Int) -> Bool { rests[byte &>> 3] &>> UInt8(truncatingIfNeeded: byte & 7) & 1 != 0 }
    func isReached(_ byte: Int) -> Bool { isStart(byte) || isRest(byte) }

    /// Whether an instruction would overlap another one that begins elsewhere.
    func isContradicted(_ byte: Int, length: Int) -> Bool {
        isRest(byte) || (1..<length).contains { isStart(byte + $0) }
    }

    mutating func set(_ byte: Int, length: Int) {
        starts[byte &>> 3] |= 1 &<< UInt8(truncatingIfNeeded: byte & 7)
        for rest in byte + 1..<byte + length { rests[rest &>> 3] |= 1 &<< UInt8(truncatingIfNeeded: rest & 7) }
    }

    /// Takes back `set`, for an instruction that contradicts no other one.
    mutating func clear(_ byte: Int, length: Int) {
        starts[byte &>> 3] &= ~(1 &<< UInt8(truncatingIfNeeded: byte & 7))
        for rest in byte + 1..<byte + length { rests[rest &>> 3] &= ~(1 &<< UInt8(truncatingIfNeeded: rest & 7)) }
    }

    /// The first byte from `byte` to `limit` that is reached; `limit` if there is none.
    func nextReached(from byte: Int, to limit: Int) -> Int {
        var byte = byte
        while byte < limit {
            if byte & 7 == 0, starts[byte &>> 3] | rests[byte &>> 3] == 0 {
                byte += 8
            } else if isReached(byte) {
                return byte
            } else {
                byte += 1
            }
        }
        return limit
    }

    /// The first byte from `byte` to `limit` that isn't reached; `limit` if there is none.
    func nextUnreached(from byte: Int, to limit: Int) -> Int {
        var byte = byte
        while byte < limit, isReached(byte) { byte += 1 }
        return byte
    }
}
