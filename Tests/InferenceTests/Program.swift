import Inference

/// A made-up program: code at 0x1000 of which nothing is covered but what is said to be, and data at 0x8000.
struct Program {
    static let start: UInt64 = 0x1000
    static let dataStart: UInt64 = 0x8000

    /// What is at 0x1000.
    var code: [UInt8] = []
    var data: [UInt64] = []
    /// Offsets in the code.
    var covered: [Range<Int>] = []
    var starts: [Int] = []
    var pointers: [Int] = []
    var nonReturning: Set<UInt64> = []
    var searchesReferences = true
    /// Where the code is instead.
    var base = start

    /// Adds code at the next multiple of 16, with int3 in front of it. Returns its offset.
    @discardableResult
    mutating func add(_ bytes: [UInt8]) -> Int {
        code += [UInt8](repeating: 0xcc, count: (16 - code.count % 16) % 16)
        code += bytes
        return code.count - bytes.count
    }

    /// Adds code with call frame information.
    @discardableResult
    mutating func addCovered(_ bytes: [UInt8]) -> Int {
        let offset = add(bytes)
        covered.append(offset..<code.count)
        return offset
    }

    func infer() throws -> UncoveredCode {
        try openDecoder()
        let words = data.map(\.littleEndian)
        return code.withUnsafeBytes { code in
            words.withUnsafeBytes { data in
                var gaps: [Range<UInt64>] = []
                var start = 0
                for range in covered + [code.count..<code.count] {
                    if start < range.lowerBound { gaps.append(address(start)..<address(range.lowerBound)) }
                    start = range.upperBound
                }
                return UncoveredCode(
                    code: [.init(address: base, bytes: code)], data: [.init(address: Self.dataStart, bytes: data)],
                    covered: covered.map { address($0.lowerBound)..<address($0.upperBound) }, gaps: gaps,
                    starts: starts.map(address), pointers: pointers.map(address), nonReturning: nonReturning,
                    searchesReferences: searchesReferences)
            }
        }
    }

    private func address(_ offset: Int) -> UInt64 { base + UInt64(offset) }

    /// All rows, by offset.
    func rows() throws -> [String] {
        try infer().functions.flatMap { function in
            function.rows.map { "\($0.address - base): \($0.rule.map { "\($0)" } ?? "none")" }
        }
    }

    /// Offsets at which functions, or parts of them, have rules.
    func functions() throws -> [Int] { try infer().functions.map { Int($0.range.lowerBound - base) } }
}

/// A call's, a jump's or an address's bytes: opcode, and the distance from behind it at one offset to another.
func relative(_ opcode: [UInt8], from offset: Int, to target: Int) -> [UInt8] {
    opcode + withUnsafeBytes(of: Int32(target - offset - opcode.count - 4).littleEndian) { Array($0) }
}
