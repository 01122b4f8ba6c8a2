/// Calls that may throw, and where they continue then: one entry of a call-site table (Itanium C++ ABI, "Exception
/// Handling", level II; GCC's unwind-pe.h and except.c).
public struct CallSite: Equatable, Sendable {
    /// SVMAs of the instructions.
    public var calls: Range<UInt64>
    /// SVMA.
    public var landingPad: UInt64

    public init(calls: Range<UInt64>, landingPad: UInt64) {
        self.calls = calls
        self.landingPad = landingPad
    }
}

extension FrameSection {
    /// The call sites of an FDE's function that have landing pads, in ascending address order. Empty if the FDE names no
    /// language-specific data in `tables`.
    ///
    /// - Parameters:
    ///   - fde: an FDE of this section.
    ///   - cie: the FDE's CIE.
    ///   - tables: the bytes of `.gcc_except_table`.
    /// - Throws: what is malformed in the FDE's pointer or the function's table.
    public func callSites(
        of fde: borrowing FrameDescriptionEntry, cie: borrowing CommonInformationEntry, in tables: FrameSection
    ) throws(CFIError) -> [CallSite] {
        guard cie.lsdaEncoding != .omit, !fde.augmentationData.isEmpty else { return [] }
        var cursor = cursor(fde.augmentationData)
        let pointer = try readPointer(&cursor, encoding: cie.lsdaEncoding, addressSize: cie.addressSize)
        guard pointer >= tables.address, pointer - tables.address < UInt64(tables.bytes.count) else { return [] }
        var table = tables.cursor(Int(pointer - tables.address)..<tables.bytes.count)
        return try tables.callSites(&table, function: fde.start..<fde.limit)
    }

    private func callSites(_ cursor: inout ByteCursor, function: Range<UInt64>) throws(CFIError) -> [CallSite] {
        var landingPadBase = function.lowerBound
        let baseEncoding = PointerEncoding(rawValue: try cursor.readU8())
        if baseEncoding != .omit {
            landingPadBase = try readPointer(&cursor, encoding: baseEncoding, addressSize: addressSize)
        }
        // The offset of the table of types.
        if try cursor.readU8() != PointerEncoding.omit.rawValue { _ = try cursor.readULEB() }
        let format = try cursor.readU8() & 0x0f
        let size = try cursor.readULEB()
        guard size <= UInt64(cursor.remaining) else { throw .lengthOutOfBounds }
        let end = cursor.position + Int(size)
        var sites: [CallSite] = []
        // Each is of other instructions, so that reading them takes time in proportion to the function, whatever many FDEs
        // share a table.
        var left = function.count
        while cursor.position < end {
            guard left > 0 else { throw .lengthOutOfBounds }
            left -= 1
            let start = function.lowerBound &+ (try readValue(&cursor, format: format, addressSize: addressSize))
            let length = try readValue(&cursor, format: format, addressSize: addressSize)
            let pad = try readValue(&cursor, format: format, addressSize: addressSize)
            _ = try cursor.readULEB()
            guard pad != 0, function.contains(start), length <= function.upperBound - start else { continue }
            sites.append(CallSite(calls: start..<start + length, landingPad: landingPadBase &+ pad))
        }
        sites.sort { $0.calls.lowerBound < $1.calls.lowerBound }
        return sites
    }
}
