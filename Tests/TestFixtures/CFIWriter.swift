import Search
import UnwindTable

/// Writes an .eh_frame section entry by entry, with absolute 8-byte addresses, and records the meaning of its FDEs.
package struct CFIWriter {
    /// An FDE as a test describes it.
    package struct Function {
        package var start: UInt64
        package var length: UInt64
        /// CFA offsets by distance from the start, ascending; the first is at 0.
        package var rows: [Row]

        package var limit: UInt64 { start + length }

        package func cfaOffset(at address: UInt64) -> Int32 {
            // A binary search, because tests look up 200,000 addresses in 65,536 rows.
            rows[rows.partitioningIndex { start + $0.at > address } - 1].cfa
        }
    }

    package struct Row {
        package var at: UInt64
        package var cfa: Int32

        package init(_ at: UInt64, _ cfa: Int32) {
            self.at = at
            self.cfa = cfa
        }
    }

    package let machine: TableMachine
    package private(set) var bytes: [UInt8] = []
    package private(set) var functions: [Function] = []
    /// Offset of the CIE that further FDEs refer to.
    private var cie = 0
    private var codeAlignment: UInt64 = 1

    /// Starts with a CIE: CFA = SP + `initialCFA`, code alignment 1, data alignment -8.
    package init(_ machine: TableMachine = .x86_64, codeAlignment: UInt64 = 1) {
        self.machine = machine
        addCIE(codeAlignment: codeAlignment)
    }

    package var initialCFA: Int32 { machine == .x86_64 ? 8 : 0 }

    /// Adds a CIE for the following FDEs.
    ///
    /// - Parameter augmentation: "" or "S". Without 'z', so that FDEs have no augmentation data.
    package mutating func addCIE(
        codeAlignment: UInt64 = 1, dataAlignment: Int64 = -8, augmentation: String = "", extra: [UInt8] = []
    ) {
        self.codeAlignment = codeAlignment
        cie = bytes.count
        let instructions =
            machine == .x86_64
            ? CFI.defineCFA(register: 7, offset: 8) + CFI.offset(register: 16, factored: 1)
            : CFI.defineCFA(register: 31, offset: 0)
        var body = little(UInt32(0)) + [1] + Array(augmentation.utf8) + [0]
        body += uleb(codeAlignment) + sleb(dataAlignment) + [machine == .x86_64 ? 16 : 30] + instructions + extra
        addEntry(body)
    }

    /// Adds an FDE with these rows. A row at 0 replaces the initial one.
    package mutating func addFunction(_ start: UInt64, length: UInt64, _ rows: [Row] = []) {
        var instructions: [UInt8] = []
        var position: UInt64 = 0
        for row in rows {
            if row.at != position { instructions += CFI.advance((row.at - position) / codeAlignment) }
            position = row.at
            instructions += CFI.defineCFAOffset(row.cfa)
        }
        addFDE(start, length: length, instructions)
        functions.append(Function(start: start, length: length, rows: [Row(0, initialCFA)] + rows))
    }

    /// Adds an FDE with any instructions. It is not recorded in `functions`.
    package mutating func addFDE(_ start: UInt64, length: UInt64, _ instructions: [UInt8], isPadded: Bool = true) {
        // The CIE pointer is the distance back from itself.
        addEntry(
            little(UInt32(bytes.count + 4 - cie)) + little(start) + little(length) + instructions, isPadded: isPadded)
    }

    private mutating func addEntry(_ body: [UInt8], isPadded: Bool = true) {
        let padding = [UInt8](repeating: 0, count: isPadded ? (8 - (body.count + 4) % 8) % 8 : 0)
        bytes += little(UInt32(body.count + padding.count)) + body + padding
    }

    // MARK: Meaning

    /// The CFA offset at an address, found by a linear search through all FDEs; nil if there is no FDE. Padding that
    /// the compiler absorbs has the preceding offset.
    package func cfaOffset(at address: UInt64) -> Int32? {
        if let function = functions.first(where: { $0.start <= address && address < $0.limit }) {
            return function.cfaOffset(at: address)
        }
        guard let limit = functions.map(\.limit).filter({ $0 <= address }).max(),
            let next = functions.map(\.start).filter({ $0 > address }).min(),
            next - limit < 16, next % 16 == 0
        else { return nil }
        return cfaOffset(at: limit - 1)
    }

    /// All addresses where the rule may change.
    package var boundaries: Set<UInt64> {
        Set(
            functions.flatMap { function in
                [function.start, function.limit] + function.rows.map { function.start + $0.at }
            })
    }
}

/// Call frame instructions (DWARF 5 §6.4.2).
package enum CFI {
    package static func advance(_ delta: UInt64) -> [UInt8] {
        switch delta {
        case ..<0x40: [0x40 | UInt8(delta)]
        case ..<0x100: [0x02, UInt8(delta)]
        case ..<0x1_0000: [0x03] + little(UInt16(delta))
        case ..<0x1_0000_0000: [0x04] + little(UInt32(delta))
        default: [0x1d] + little(delta)
        }
    }

    package static func defineCFA(register: UInt64, offset: UInt64) -> [UInt8] {
        [0x0c] + uleb(register) + uleb(offset)
    }
    package static func defineCFAOffset(_ offset: Int32) -> [UInt8] { [0x0e] + uleb(UInt64(offset)) }
    package static func defineCFA(expression: [UInt8]) -> [UInt8] {
        [0x0f] + uleb(UInt64(expression.count)) + expression
    }
    package static func offset(register: UInt8, factored: UInt64) -> [UInt8] { [0x80 | register] + uleb(factored) }
    package static func undefined(register: UInt64) -> [UInt8] { [0x07] + uleb(register) }
    package static func sameValue(register: UInt64) -> [UInt8] { [0x08] + uleb(register) }
    package static func register(_ register: UInt64, in other: UInt64) -> [UInt8] {
        [0x09] + uleb(register) + uleb(other)
    }
    package static func value(of register: UInt64, expression: [UInt8]) -> [UInt8] {
        [0x16] + uleb(register) + uleb(UInt64(expression.count)) + expression
    }
    package static func saved(_ register: UInt64, at expression: [UInt8]) -> [UInt8] {
        [0x10] + uleb(register) + uleb(UInt64(expression.count)) + expression
    }
    package static var negateReturnAddressState: [UInt8] { [0x2d] }
}

package func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
}

package func sleb(_ number: Int64) -> [UInt8] {
    (-0x40..<0x40).contains(number)
        ? [UInt8(bitPattern: Int8(number)) & 0x7f] : [UInt8(number & 0x7f) | 0x80] + sleb(number >> 7)
}

package func uleb(_ number: UInt64) -> [UInt8] {
    number < 0x80 ? [UInt8(number)] : [UInt8(number & 0x7f | 0x80)] + uleb(number >> 7)
}
