/// Writes a CIE, and an FDE for each function.
struct FrameWriter {
    private(set) var bytes: [UInt8] = []
    private let isAArch64: Bool
    private var unit: UInt64 { isAArch64 ? 4 : 1 }

    init(isAArch64: Bool) {
        self.isAArch64 = isAArch64
        // Version 1, no augmentation, alignment factors 1 or 4 and -8, return address in rip or x30.
        var content: [UInt8] = [0xff, 0xff, 0xff, 0xff, 1, 0, isAArch64 ? 4 : 1, 0x78, isAArch64 ? 30 : 16]
        // At the first instruction: CFA = sp and the return address in x30, or CFA = rsp+8 and the return address there.
        content += isAArch64 ? [CFA.define, 31, 0] : [CFA.define, 7, 8, CFA.offset | 16, 1]
        append(entry: content)
    }

    /// Appends a function's FDE; false if nothing proves where its return address is.
    ///
    /// - Parameters:
    ///   - runs: its stack depths, at least one, one after the other.
    ///   - isOutermost: whether nothing called it.
    ///   - code: its bytes.
    mutating func append(_ runs: [StackDepths.Run], isOutermost: Bool, code: UnsafeRawBufferPointer) -> Bool {
        let addresses = runs[0].addresses.lowerBound..<runs[runs.count - 1].addresses.upperBound
        var instructions: [UInt8]
        if isOutermost {
            instructions = [CFA.undefined, isAArch64 ? 30 : 16]
        } else if isAArch64 {
            guard let found = aarch64(runs, code) else { return false }
            instructions = found
        } else {
            instructions = x86_64(runs, code)
        }
        append(
            entry: Self.bytes(UInt32(0)) + Self.bytes(addresses.lowerBound) + Self.bytes(UInt64(addresses.count))
                + instructions)
        return true
    }

    private func prologue(_ runs: [StackDepths.Run], _ code: UnsafeRawBufferPointer) -> Prologue {
        guard let framed = runs.first(where: { $0.depth > 0 }) else { return .unknown }
        let (start, reserved) = (runs[0].addresses.lowerBound, framed.addresses.lowerBound)
        return isAArch64
            ? .aarch64(depth: framed.depth, start: start, reserved: reserved, code: code)
            : .x86_64(depth: framed.depth, start: start, reserved: reserved, code: code)
    }

    /// The frame pointer is known only if the prologue saves it: else the function may use its register for anything.
    private func x86_64(_ runs: [StackDepths.Run], _ code: UnsafeRawBufferPointer) -> [UInt8] {
        var instructions: [UInt8] = []
        var saved: UInt64?
        if case .savesFramePointer(let from) = prologue(runs, code) { saved = from }
        if saved == nil { instructions += [CFA.undefined, 6] }
        var location = runs[0].addresses.lowerBound
        for run in runs {
            advance(from: &location, to: run.addresses.lowerBound, &instructions)
            instructions += [CFA.defineOffset] + Self.unsigned(UInt64(run.depth) + 8)
            guard let saved else { continue }
            if run.depth == 0 {
                instructions += [CFA.sameValue, 6]
            } else if saved <= location {
                instructions += [CFA.offset | 6, 2]
            } else if saved < run.addresses.upperBound {
                advance(from: &location, to: saved, &instructions)
                instructions += [CFA.offset | 6, 2]
            }
        }
        return instructions
    }

    /// nil if there is more than one depth besides 0: then nothing tells at which of them the link register was saved.
    private func aarch64(_ runs: [StackDepths.Run], _ code: UnsafeRawBufferPointer) -> [UInt8]? {
        var instructions: [UInt8] = [CFA.undefined, 29]
        let depth = runs.first { $0.depth > 0 }?.depth
        if let depth {
            guard runs.allSatisfy({ $0.depth == 0 || $0.depth == depth }), depth % 8 == 0,
                case .savesLink = prologue(runs, code)
            else { return nil }
        }
        var location = runs[0].addresses.lowerBound
        for run in runs {
            advance(from: &location, to: run.addresses.lowerBound, &instructions)
            instructions += [CFA.defineOffset] + Self.unsigned(UInt64(run.depth))
            instructions +=
                run.depth == 0 ? [CFA.sameValue, 30] : [CFA.offset | 30] + Self.unsigned(UInt64(run.depth / 8))
        }
        return instructions
    }

    private func advance(from location: inout UInt64, to next: UInt64, _ instructions: inout [UInt8]) {
        let distance = (next - location) / unit
        location = next
        switch distance {
        case 0: break
        case ..<0x40: instructions.append(CFA.advance | UInt8(distance))
        case ..<0x100: instructions += [CFA.advance1, UInt8(distance)]
        case ..<0x1_0000: instructions += [CFA.advance2] + Self.bytes(UInt16(distance))
        // Functions of more than 4 GiB don't exist: `StackDepths` has distances of 32 bits.
        default: instructions += [CFA.advance4] + Self.bytes(UInt32(truncatingIfNeeded: distance))
        }
    }

    /// Prefixes the length and pads with DW_CFA_nop.
    private mutating func append(entry content: [UInt8]) {
        let padding = -(content.count + 4) & 7
        bytes += Self.bytes(UInt32(content.count + padding))
        bytes += content
        bytes += repeatElement(0, count: padding)
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// ULEB128.
    private static func unsigned(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

/// Call frame instructions, DWARF 5 §7.24.
private enum CFA {
    static let advance: UInt8 = 0x40
    static let advance1: UInt8 = 0x02
    static let advance2: UInt8 = 0x03
    static let advance4: UInt8 = 0x04
    static let offset: UInt8 = 0x80
    static let undefined: UInt8 = 0x07
    static let sameValue: UInt8 = 0x08
    static let define: UInt8 = 0x0c
    static let defineOffset: UInt8 = 0x0e
}
