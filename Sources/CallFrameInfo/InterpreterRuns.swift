/// Takes rows that differ from each other in nothing but their location and the CFA's offset.
///
/// A value that a sink lends to the row loop and then takes back, so that what it keeps can stay in registers.
public protocol OffsetRowWriter: BitwiseCopyable {
    /// Rows at this location, and above, are not for this writer: 2^64 - 2^32 at most. Not changed by `append`.
    var stop: UInt64 { get }
    /// Takes a row, as `RowSink.row` does; false leaves it to that.
    ///
    /// - Parameters:
    ///   - location: below `stop`, and above those before.
    ///   - cfaWords: the CFA's offset in words of 8 bytes, below `UsualOffsets.wordLimit`.
    mutating func append(_ location: UInt64, cfaWords: Int) -> Bool
}

/// The CFA offsets that an `OffsetRowWriter` knows.
public enum UsualOffsets {
    /// They are multiples of 8 bytes, from 0 up to, and without, this many times 8.
    @inlinable public static var wordLimit: Int { 512 }

    /// An offset in words of 8 bytes; nil if it is not a usual one.
    @inlinable @inline(__always)
    public static func words(_ cfaOffset: Int64) -> Int? {
        cfaOffset & ~(8 &* Int64(wordLimit) &- 8) == 0 ? Int(cfaOffset) &>> 3 : nil
    }
}

/// The writer of sinks that have none.
public struct NoOffsetRows: OffsetRowWriter {
    @inlinable public var stop: UInt64 { 0 }
    @inlinable public mutating func append(_ location: UInt64, cfaWords: Int) -> Bool { false }
}

/// The usual encodings of usual instructions, which make up nearly all that there are.
extension Interpreter {
    /// The highest code alignment factor that `takeRun` is for; the lowest is 1, so that locations rise.
    @inlinable static var largestRunAlignment: UInt64 { 256 }

    /// Executes usual instructions as far as it can, from `place`, which it moves on.
    ///
    /// Those that change nothing of a row but its location and the CFA's offset are executed here: advances,
    /// `def_cfa_offset`, saves of registers that nobody keeps, and the padding at the end.
    ///
    /// - Returns: whether the FDE is done: its last row was taken, or the location reached the limit.
    @inlinable @inline(never)
    mutating func takeRun<Sink: RowSink & ~Copyable>(
        _ place: inout FramePlace, _ state: UnsafeMutablePointer<FrameState<Columns>>, _ sink: inout Sink
    ) -> Bool where Sink.Columns == Columns {
        guard state.pointee.cfa.kind == .registerOffset, var words = UsualOffsets.words(state.pointee.cfa.operand),
            var rows = sink.offsetWriter(at: place.location, state)
        else { return false }
        // Plain variables, few and of an address that nobody has: so they stay in registers.
        // Behind `stop` an advance, below 2^16 by a factor of at most 2^8, does not wrap around.
        let stop = min(place.limit, rows.stop)
        let lastWord = base + (place.end &- 4)
        var next = base + place.position
        var current = place.location
        var isAtEnd = false
        run: while true {
            var word: UInt32 = 0
            while true {
                guard current < stop else { break run }
                if next <= lastWord {
                    word = next.loadUnaligned(as: UInt32.self).littleEndian
                } else {
                    isAtEnd = next == lastWord + 4
                    if isAtEnd { break run }
                    word = Self.tail(from: next, lastWord)
                }
                // What most rows are made of, at once: `advance_loc`, and a `def_cfa_offset` below 128 by a multiple
                // of 8.
                guard word & 0x87_ffc0 == UInt32(Opcode.defCFAOffset) &<< 8 | UInt32(Opcode.advanceLoc) else { break }
                let delta = UInt64(word & 0x3f)
                if delta != 0, !rows.append(current, cfaWords: words) { break run }
                current &+= delta &* codeAlignment
                words = Int(word &>> 19 & 0xf)
                next += 3
            }
            let opcode = UInt8(truncatingIfNeeded: word)
            let low = UInt64(word & 0x3f)
            if opcode & 0xc0 == Opcode.offset, keptRegisters &>> low & 1 == 0, word & 0x8000 == 0 {
                next += 2
            } else if opcode == Opcode.defCFAOffset {
                // One byte, or two; the operand's bits 0 to 2, and from 12 on, are 0 if it is a usual offset.
                let isLong = word &>> 15 & 1
                guard word & (0x700 | (0 &- isLong) & 0xe0_0000) == 0 else { break }
                words = Int(word &>> 11 & 0xf | (0 &- isLong) & (word &>> 12 & 0x1f0))
                next += 2 &+ Int(isLong)
            } else if opcode & 0xc0 == Opcode.advanceLoc {
                if low != 0, !rows.append(current, cfaWords: words) { break }
                current &+= low &* codeAlignment
                next += 1
            } else if opcode & 0xfe == Opcode.advanceLoc1, next <= lastWord {
                // `advance_loc2` is the next opcode.
                let isWide = word & 1
                let delta = UInt64(word &>> 8 & (0xff | (0 &- isWide) & 0xff00))
                if delta != 0, !rows.append(current, cfaWords: words) { break }
                current &+= delta &* codeAlignment
                next += 2 &+ Int(isWide)
            } else if opcode == Opcode.gnuArgsSize, word & 0x8000 == 0 {
                next += 2
            } else if opcode == Opcode.nop {
                isAtEnd = true
                break
            } else {
                state.pointee.cfa.operand = Int64(words &<< 3)
                let size = changeRules(word, state)
                next += size
                guard size != 0, state.pointee.cfa.kind == .registerOffset,
                    let newWords = UsualOffsets.words(state.pointee.cfa.operand)
                else {
                    place.move(to: next - base, current)
                    sink.takeBack(rows)
                    return false
                }
                words = newWords
                rows = sink.aimed(rows, state)
            }
        }
        state.pointee.cfa.operand = Int64(words &<< 3)
        place.move(to: next - base, current)
        let isDone =
            current >= place.limit
            || isAtEnd && section.isPadding(place.position..<place.end) && rows.append(current, cfaWords: words)
        sink.takeBack(rows)
        return isDone
    }

    /// The last three, two or one bytes before the end, and behind them bytes that end no operand.
    ///
    /// - Parameter lastWord: 4 bytes before the end, in the same entry: its length and CIE pointer are as many.
    @inlinable @inline(__always)
    static func tail(from next: UnsafeRawPointer, _ lastWord: UnsafeRawPointer) -> UInt32 {
        let missing = 8 &* UInt32(truncatingIfNeeded: next - lastWord)
        return lastWord.loadUnaligned(as: UInt32.self).littleEndian &>> missing | ~(.max &>> missing)
    }

    /// Executes one of the usual instructions that change more than the CFA's offset, or two that often come together.
    ///
    /// - Parameter word: the instruction and what is behind it in the FDE, as a little-endian number; bytes of 0xff
    ///   where the FDE has none.
    /// - Returns: their size; 0 if it is none of these, or can't be executed.
    @inlinable @inline(never)
    mutating func changeRules(_ word: UInt32, _ state: UnsafeMutablePointer<FrameState<Columns>>) -> Int {
        let opcode = UInt8(truncatingIfNeeded: word)
        let low = UInt64(word & 0x3f)
        let operand = UInt64(word &>> 8 & 0xff)
        if opcode & 0xc0 == Opcode.offset {
            guard operand < 0x80 else { return 0 }
            state.pointee.columns.setRule(savedAt(factored: operand), for: low)
            return 2
        }
        if opcode & 0xc0 == Opcode.restore {
            state.pointee.columns.setRule(initial.columns.rule(for: low), for: low)
            return 1
        }
        switch opcode {
        case Opcode.defCFARegister:
            guard operand < 0x80 else { return 0 }
            state.pointee.setCFA(.register(operand, offset: state.pointee.cfa.operand))
            return 2
        case Opcode.defCFA:
            guard word & 0x80_8000 == 0 else { return 0 }
            state.pointee.setCFA(.register(operand, offset: Int64(word &>> 16 & 0x7f)))
            return 3
        case Opcode.rememberState:
            guard (try? remember(state.pointee)) != nil else { return 0 }
            // What stands before an epilogue in the middle of a function: the CFA is the stack pointer's from here on.
            guard word & 0x8080_ff00 == UInt32(Opcode.defCFA) &<< 8 else { return 1 }
            state.pointee.setCFA(.register(UInt64(word &>> 16 & 0x7f), offset: Int64(word &>> 24)))
            return 4
        case Opcode.restoreState:
            return (try? restore(&state.pointee)) == nil ? 0 : 1
        default: return 0
        }
    }
}

/// Where the row loop stands in an FDE.
@usableFromInline
struct FramePlace {
    /// Offset of the next instruction in the section.
    @usableFromInline var position: Int
    /// Offset behind the FDE's instructions.
    @usableFromInline let end: Int
    /// The location that the next row has: it is complete when an instruction moves on from there.
    @usableFromInline var location: UInt64
    /// Where the FDE's bytes end.
    @usableFromInline let limit: UInt64

    @inlinable @inline(__always)
    init(position: Int, end: Int, location: UInt64, limit: UInt64) {
        self.position = position
        self.end = end
        self.location = location
        self.limit = limit
    }

    @inlinable @inline(__always)
    mutating func move(to position: Int, _ location: UInt64) {
        self.position = position
        self.location = location
    }
}

extension FrameSection {
    /// Whether an entry has nothing but `nop` in its last bytes; false if these are more than usual.
    @inlinable @inline(__always)
    func isPadding(_ bytes: Range<Int>) -> Bool {
        if bytes.isEmpty { return true }
        guard bytes.count <= 8 else { return false }
        // The eight bytes before the end are the entry's: its length and CIE pointer alone are as many.
        let tail = base.loadUnaligned(fromByteOffset: bytes.upperBound &- 8, as: UInt64.self).littleEndian
        return tail &>> UInt64(64 &- 8 &* bytes.count) == 0
    }
}
