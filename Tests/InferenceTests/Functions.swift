import CallFrameInfo
@testable import Inference

/// Made-up functions, assembled as bytes.
struct Functions {
    static let start: UInt64 = 0x1000

    /// Each function's bytes; the first one starts at `start`, and the next ones follow at multiples of 0x1000.
    var functions: [[UInt8]]
    /// Jump tables and other data, by address.
    var data: [(address: UInt64, bytes: [UInt8])] = []
    /// Numbers of functions that are parts of others.
    var parts: Set<Int> = []
    /// Whether entries are found in code and data, instead of `parts`.
    var findsEntries = false
    var nonReturning: Set<UInt64> = []
    var callSites: [Int: [CallSite]] = [:]

    init(_ functions: [UInt8]...) { self.functions = functions }

    static func start(_ number: Int) -> UInt64 { start + UInt64(number) * 0x1000 }

    /// The first function's rows, as text without the rule where there is none.
    func rows() throws -> [String] {
        try analysis { try $0.rows(of: 0).map { "\($0.address - Self.start): \($0.rule.map { "\($0)" } ?? "none")" } }
    }

    func rowsWithAddresses() throws -> [InferredRow] { try analysis { try $0.rows(of: 0) } }

    /// Why the first function gets no rules; nil if it gets some.
    func failure() throws -> InferenceFailure? {
        try analysis { $0.run(0) { _ in }.failure }
    }

    /// The numbers of functions that have an entry of their own.
    func entries() throws -> [Int] {
        try analysis { analysis in functions.indices.filter { analysis.code.isEntry[$0] } }
    }

    func result() throws -> FunctionAnalysis.Result { try analysis { $0.run(0) { _ in } } }

    func analysis<Result>(_ body: (FunctionAnalysis) throws -> Result) throws -> Result {
        try openDecoder()
        var pieces: [ProgramCode.Piece] = []
        let placed = functions.enumerated().map { (Self.start($0.offset), $0.element) } + data.map { ($0.0, $0.1) }
        let memory = placed.map { address, bytes in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
            copy.copyBytes(from: bytes)
            pieces.append(.init(address: address, bytes: UnsafeRawBufferPointer(copy)))
            return copy
        }
        defer { for copy in memory { copy.deallocate() } }
        var code = ProgramCode(
            pieces: pieces,
            extents: functions.enumerated().map {
                Self.start($0.offset)..<Self.start($0.offset) + UInt64($0.element.count)
            }, nonReturning: nonReturning, callSites: callSites)
        code.setParts(parts)
        if findsEntries { code.findEntries(data: pieces.dropFirst(functions.count).map(\.bytes)) }
        return try body(FunctionAnalysis(code))
    }
}
