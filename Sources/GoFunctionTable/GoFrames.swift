import Search

/// Call frame information for the functions of a Go program, made from its `.gopclntab`: a section as `.debug_frame`
/// (DWARF 5 §6.4.1). For the CFA and the return address it says what the `.debug_frame` that Go's linker writes says.
public final class GoFrames {
    /// The section, without relocations. Valid as long as this object exists.
    public let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer
    /// The number of functions that it describes. It leaves out those whose stack pointer isn't known, or where nothing proves
    /// where the return address is.
    public var functionCount: Int { addresses.count }
    /// SVMAs that it describes, ascending.
    private let addresses: [Range<UInt64>]

    /// Reads all functions of a table.
    ///
    /// - Parameters:
    ///   - table: the functions.
    ///   - isAArch64: whether they are aarch64's, else x86-64's.
    ///   - code: the program's code.
    /// - Throws: ``GoTableError`` at the first defect; nothing of a defective table is used.
    public init(_ table: GoFunctionTable, isAArch64: Bool, code: GoCode) throws(GoTableError) {
        var writer = FrameWriter(isAArch64: isAArch64)
        var addresses: [Range<UInt64>] = []
        for index in 0..<table.count {
            let function = try table.function(index)
            guard let bytes = code.bytes(of: function.addresses), let runs = try Self.runs(of: function, in: table),
                writer.append(runs, isOutermost: table.isOutermost(function), code: bytes)
            else { continue }
            addresses.append(runs[0].addresses.lowerBound..<runs[runs.count - 1].addresses.upperBound)
            guard writer.bytes.count <= code.byteCount + Self.room else {
                throw GoTableError(offset: 0, problem: "stack depths take more room than the code")
            }
        }
        self.addresses = addresses
        memory = .allocate(byteCount: writer.bytes.count, alignment: 16)
        memory.copyBytes(from: writer.bytes)
        bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { memory.deallocate() }

    /// Whether it describes an SVMA.
    public func contains(_ address: UInt64) -> Bool {
        addresses.lastIndex(atMost: address, by: \.lowerBound).map { addresses[$0].contains(address) } ?? false
    }

    /// What the section may have besides as many bytes as the code. Usually it has a tenth of the code's.
    private static var room: Int { 1 << 16 }

    /// A function with more stack depths is left out. Real ones have some hundred at most.
    static var runLimit: Int { 1 << 16 }

    /// The stack depths of a function; nil if they don't tell where the stack pointer is.
    private static func runs(
        of function: GoFunctionTable.Function, in table: GoFunctionTable
    ) throws(GoTableError) -> [StackDepths.Run]? {
        guard !table.switchesStacks(function) || table.isOutermost(function),
            var depths = StackDepths(of: function, in: table)
        else { return nil }
        var runs: [StackDepths.Run] = []
        while let run = try depths.next() {
            guard runs.count < runLimit else { return nil }
            runs.append(run)
        }
        return runs.isEmpty || depths.isNegative ? nil : runs
    }
}

/// The code of a program.
public struct GoCode {
    /// The SVMAs of executable code, and its bytes, ascending.
    private let parts: [(addresses: Range<UInt64>, bytes: UnsafeRawBufferPointer)]
    /// The number of all bytes.
    let byteCount: Int

    /// - Parameter parts: SVMAs and the bytes there, as many.
    public init(_ parts: [(addresses: Range<UInt64>, bytes: UnsafeRawBufferPointer)]) {
        self.parts = parts.sorted { $0.addresses.lowerBound < $1.addresses.lowerBound }
        byteCount = parts.reduce(0) { $0 + $1.bytes.count }
    }

    /// The bytes at addresses; nil if not all of them are in one part.
    func bytes(of addresses: Range<UInt64>) -> UnsafeRawBufferPointer? {
        guard let index = parts.lastIndex(atMost: addresses.lowerBound, by: \.addresses.lowerBound),
            addresses.upperBound <= parts[index].addresses.upperBound
        else { return nil }
        let start = Int(addresses.lowerBound - parts[index].addresses.lowerBound)
        return UnsafeRawBufferPointer(rebasing: parts[index].bytes[start..<start + addresses.count])
    }
}
