/// Takes rows that differ from each other only in location and CFA offset.
///
/// A sink lends this value to the row loop and then takes it back, so that its fields can stay in registers.
public protocol OffsetRowWriter: BitwiseCopyable {
    /// The writer takes only rows below this location, which is at most 2^64 - 2^32. `append` doesn't change it.
    var stop: UInt64 { get }
    /// Takes a row like `RowSink.row`. Returns false if the caller must pass the row to `RowSink.row` instead.
    ///
    /// - Parameters:
    ///   - location: below `stop`, and above the previous ones.
    ///   - cfaWords: the CFA's offset in words of 8 bytes, below `UsualOffsets.wordLimit`.
    mutating func append(_ location: UInt64, cfaWords: Int) -> Bool
}

/// The CFA offsets that an `OffsetRowWriter` takes: 0, 8, … 8 * (`wordLimit` - 1).
public enum UsualOffsets {
    /// A power of two, in words of 8 bytes.
    @inlinable public static var wordLimit: Int { 512 }

    /// A CFA offset in words of 8 bytes; nil if it is not a usual one.
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

/// The next four bytes of an FDE's instructions as a little-endian number: the opcode in bits 0 to 7, then its operands,
/// or the next instruction.
///
/// The predicates test bit patterns. Their comments show the bytes in the order of the file, each from bit 7 to bit 0:
/// `d` is a bit of an advance, `w` of a CFA offset in words of 8 bytes, `r` of a register number, `-` any bit. Bit 7 of
/// a LEB128 operand's byte is 1 if another byte follows.
@usableFromInline
struct InstructionWord {
    @usableFromInline let bits: UInt32

    @inlinable @inline(__always)
    init(_ bits: UInt32) { self.bits = bits }

    @inlinable @inline(__always) var opcode: UInt8 { UInt8(truncatingIfNeeded: bits) }

    /// The operand in a primary opcode: the advance of `advance_loc`, the register of `offset`.
    @inlinable @inline(__always) var primaryOperand: UInt64 { UInt64(bits & 0x3f) }

    /// `01dddddd 00001110 0wwww000`: `advance_loc`, then `def_cfa_offset` below 128 by a multiple of 8. Most rows are
    /// made by this pair.
    @inlinable @inline(__always) var isAdvanceThenOffset: Bool {
        bits & 0x87_ffc0 == UInt32(Opcode.defCFAOffset) &<< 8 | UInt32(Opcode.advanceLoc)
    }

    /// The offset of that pair.
    @inlinable @inline(__always) var pairedOffsetWords: Int { Int(bits &>> 19 & 0xf) }

    /// `10rrrrrr`: `offset`, which saves a register.
    @inlinable @inline(__always) var isSave: Bool { opcode & 0xc0 == Opcode.offset }

    /// `10rrrrrr 0------- 10rrrrrr 0-------`: two of them, with operands of one byte.
    @inlinable @inline(__always) var isTwoSaves: Bool { bits & 0x80c0_80c0 == 0x0080_0080 }

    /// The register of the second one.
    @inlinable @inline(__always) var secondRegister: UInt64 { UInt64(bits &>> 16 & 0x3f) }

    /// `11rrrrrr`: `restore`.
    @inlinable @inline(__always) var isRestore: Bool { opcode & 0xc0 == Opcode.restore }

    /// `-------- 0-------`: an operand of one byte.
    @inlinable @inline(__always) var hasShortOperand: Bool { bits & 0x8000 == 0 }

    /// `00001110`: `def_cfa_offset`.
    @inlinable @inline(__always) var isOffset: Bool { opcode == Opcode.defCFAOffset }

    /// `00001110 0wwww000` or `00001110 1wwww000 000wwwww`: a `def_cfa_offset` with one of the `UsualOffsets`. The
    /// low bits come first. Only to be asked if `isOffset`.
    @inlinable @inline(__always) var hasUsualOffset: Bool { bits & (0x700 | longMask & 0xe0_0000) == 0 }

    /// The offset of such a `def_cfa_offset`.
    @inlinable @inline(__always) var offsetWords: Int { Int(bits &>> 11 & 0xf | longMask & (bits &>> 12 & 0x1f0)) }

    /// Its size in bytes.
    @inlinable @inline(__always) var offsetSize: Int { 2 &+ Int(bits &>> 15 & 1) }

    /// All ones if the operand in the second byte has a further byte, else 0: selects without a branch.
    @inlinable @inline(__always) var longMask: UInt32 { 0 &- (bits &>> 15 & 1) }

    /// `01dddddd`: `advance_loc`.
    @inlinable @inline(__always) var isAdvance: Bool { opcode & 0xc0 == Opcode.advanceLoc }

    /// `00000010 dddddddd` or `00000011 dddddddd dddddddd`: `advance_loc1`, `advance_loc2`.
    @inlinable @inline(__always) var isLongAdvance: Bool { opcode & 0xfe == Opcode.advanceLoc1 }

    /// The advance of such an instruction.
    @inlinable @inline(__always) var longAdvance: UInt64 { UInt64(bits &>> 8 & (0xff | (0 &- (bits & 1)) & 0xff00)) }

    /// Its size in bytes.
    @inlinable @inline(__always) var longAdvanceSize: Int { 2 &+ Int(bits & 1) }

    /// `00101110`: `GNU_args_size`, which doesn't affect rows.
    @inlinable @inline(__always) var isArgsSize: Bool { opcode == Opcode.gnuArgsSize }
}

/// The usual encodings of usual instructions, nearly all that occur.
extension Interpreter {
    /// The largest code alignment factor that `takeRun` supports; the smallest is 1, so that locations ascend.
    @inlinable static var largestRunAlignment: UInt64 { 256 }
    /// The largest data alignment factor, or its negative: times an operand of one byte it has less than 56 bits.
    @inlinable static var largestRunDataAlignment: Int64 { 1 &<< 32 }

    /// Executes usual instructions as far as it can, starting at `progress`, which it updates.
    ///
    /// Instructions that change only a row's location and CFA offset are executed in the loop: advances,
    /// `def_cfa_offset`, saves of untracked registers, and the padding at the end. Others go to `changeRules`. The loop
    /// ends at the first instruction that this can't execute, or when the writer rejects a row.
    ///
    /// - Returns: whether the FDE is complete: its last row was taken, or the location reached the limit.
    @inlinable @inline(never)
    mutating func takeRun<Sink: RowSink & ~Copyable>(
        _ progress: inout FrameProgress, _ state: UnsafeMutablePointer<FrameState<Columns>>, _ sink: inout Sink
    ) -> Bool where Sink.Columns == Columns {
        guard state.pointee.cfa.kind == .registerOffset, var cfaWords = UsualOffsets.words(state.pointee.cfa.operand),
            var writer = sink.offsetWriter(at: progress.location, state)
        else { return false }
        // Few plain variables whose addresses are never taken, so that they stay in registers.
        // An advance from below `stop` doesn't wrap around: it is below 2^16 times at most 2^8.
        let stop = min(progress.limit, writer.stop)
        // The last position from which four bytes can be loaded.
        let lastWord = base + (progress.end &- 4)
        var next = base + progress.offset
        var location = progress.location
        var isAtEnd = false
        run: while true {
            var word = InstructionWord(0)
            while true {
                guard location < stop else { break run }
                if next <= lastWord {
                    word = InstructionWord(next.loadUnaligned(as: UInt32.self).littleEndian)
                } else {
                    isAtEnd = next == lastWord + 4
                    if isAtEnd { break run }
                    word = InstructionWord(Self.tail(from: next, lastWord))
                }
                guard word.isAdvanceThenOffset else { break }
                let delta = word.primaryOperand
                if delta != 0, !writer.append(location, cfaWords: cfaWords) { break run }
                location &+= delta &* codeAlignment
                cfaWords = word.pairedOffsetWords
                next += 3
            }
            // In this order: testing the operand's size before the register costs 3 % of building a table.
            if word.isSave, keptRegisters &>> word.primaryOperand & 1 == 0, word.hasShortOperand {
                next += word.isTwoSaves && keptRegisters &>> word.secondRegister & 1 == 0 ? 4 : 2
            } else if word.isOffset {
                guard word.hasUsualOffset else { break }
                cfaWords = word.offsetWords
                next += word.offsetSize
            } else if word.isAdvance {
                let delta = word.primaryOperand
                if delta != 0, !writer.append(location, cfaWords: cfaWords) { break }
                location &+= delta &* codeAlignment
                next += 1
            } else if word.isLongAdvance, next <= lastWord {
                let delta = word.longAdvance
                if delta != 0, !writer.append(location, cfaWords: cfaWords) { break }
                location &+= delta &* codeAlignment
                next += word.longAdvanceSize
            } else if word.isArgsSize, word.hasShortOperand {
                next += 2
            } else if word.opcode == Opcode.nop {
                isAtEnd = true
                break
            } else if word.isRestore, keptRegisters &>> word.primaryOperand & 1 == 0 {
                next += 1
            } else {
                state.pointee.cfa.operand = Int64(cfaWords &<< 3)
                // The writer is aimed once for all rules that change at one location.
                var after = saveAndRestore(from: next, to: lastWord, state)
                if after == next {
                    after += changeRules(word.bits, state)
                    if after != next { after = saveAndRestore(from: after, to: lastWord, state) }
                }
                let size = after - next
                next = after
                guard size != 0, state.pointee.cfa.kind == .registerOffset,
                    let newWords = UsualOffsets.words(state.pointee.cfa.operand)
                else {
                    progress.move(to: next - base, location)
                    sink.takeBack(writer)
                    return false
                }
                cfaWords = newWords
                writer = sink.aimed(writer, state)
            }
        }
        state.pointee.cfa.operand = Int64(cfaWords &<< 3)
        progress.move(to: next - base, location)
        let isDone =
            location >= progress.limit
            || isAtEnd && section.isPadding(progress.offset..<progress.end)
                && writer.append(location, cfaWords: cfaWords)
        sink.takeBack(writer)
        return isDone
    }

    /// Executes instructions that save or restore registers, as long as four bytes can be loaded at each, and returns the
    /// position of the first other one.
    @inlinable @inline(__always)
    func saveAndRestore(
        from start: UnsafeRawPointer, to lastWord: UnsafeRawPointer, _ state: UnsafeMutablePointer<FrameState<Columns>>
    ) -> UnsafeRawPointer {
        var next = start
        while next <= lastWord {
            let word = InstructionWord(next.loadUnaligned(as: UInt32.self).littleEndian)
            let register = word.primaryOperand
            let isKept = keptRegisters &>> register & 1 != 0
            if word.isSave, word.hasShortOperand {
                if isKept {
                    // Doesn't overflow: `allowsRuns` bounds the factor.
                    let offset = Int64(word.bits &>> 8 & 0x7f) &* dataAlignment
                    state.pointee.columns.setRule(RegisterRule(savedAtUsual: offset), for: register)
                    next += 2
                } else {
                    next += word.isTwoSaves && keptRegisters &>> word.secondRegister & 1 == 0 ? 4 : 2
                }
            } else if word.isRestore {
                if isKept { state.pointee.columns.setRule(initial.columns.rule(for: register), for: register) }
                next += 1
            } else {
                break
            }
        }
        return next
    }

    /// The last one, two or three bytes of the FDE, followed by bytes of 0xff. Those have bit 7 set, so they never look
    /// like a LEB128 operand of one byte.
    ///
    /// - Parameter lastWord: 4 bytes before the FDE's end. The load from there stays in the entry, whose length and CIE
    ///   pointer alone take 8 bytes.
    @inlinable @inline(__always)
    static func tail(from next: UnsafeRawPointer, _ lastWord: UnsafeRawPointer) -> UInt32 {
        let missing = 8 &* UInt32(truncatingIfNeeded: next - lastWord)
        return lastWord.loadUnaligned(as: UInt32.self).littleEndian &>> missing | ~(.max &>> missing)
    }

    /// Executes one of the usual instructions that change more than the CFA's offset, or a pair that is frequent.
    ///
    /// - Parameter word: the bits of an `InstructionWord`; bytes after the FDE's end are 0xff.
    /// - Returns: the size of the instruction or pair in bytes; 0 if it is none of these or can't be executed.
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
            // 00001100 0rrrrrrr 0xxxxxxx: register and offset of one byte each.
            guard word & 0x80_8000 == 0 else { return 0 }
            state.pointee.setCFA(.register(operand, offset: Int64(word &>> 16 & 0x7f)))
            return 3
        case Opcode.rememberState:
            guard (try? remember(state.pointee)) != nil else { return 0 }
            // 00001010 00001100 0rrrrrrr 0xxxxxxx: remember_state, then def_cfa with operands of one byte each. This
            // pair precedes an epilogue in the middle of a function, from where on the CFA is relative to the stack
            // pointer.
            guard word & 0x8080_ff00 == UInt32(Opcode.defCFA) &<< 8 else { return 1 }
            state.pointee.setCFA(.register(UInt64(word &>> 16 & 0x7f), offset: Int64(word &>> 24)))
            return 4
        case Opcode.restoreState:
            return (try? restore(&state.pointee)) == nil ? 0 : 1
        default: return 0
        }
    }
}

/// How far an FDE's instructions have been executed.
@usableFromInline
struct FrameProgress {
    /// Offset of the next instruction in the section.
    @usableFromInline var offset: Int
    /// Offset of the end of the FDE's instructions (exclusive).
    @usableFromInline let end: Int
    /// The location of the current row, which is complete when an instruction advances.
    @usableFromInline var location: UInt64
    /// End of the addresses that the FDE covers (exclusive).
    @usableFromInline let limit: UInt64

    @inlinable @inline(__always)
    init(offset: Int, end: Int, location: UInt64, limit: UInt64) {
        self.offset = offset
        self.end = end
        self.location = location
        self.limit = limit
    }

    @inlinable @inline(__always)
    mutating func move(to offset: Int, _ location: UInt64) {
        self.offset = offset
        self.location = location
    }
}

extension FrameSection {
    /// Whether these last bytes of an entry are all `nop`. False if they are more than 8, which is unusual.
    @inlinable @inline(__always)
    func isPadding(_ bytes: Range<Int>) -> Bool {
        if bytes.isEmpty { return true }
        guard bytes.count <= 8 else { return false }
        // The load stays in the entry, whose length and CIE pointer alone take 8 bytes.
        let tail = base.loadUnaligned(fromByteOffset: bytes.upperBound &- 8, as: UInt64.self).littleEndian
        return tail &>> UInt64(64 &- 8 &* bytes.count) == 0
    }
}
