import CallFrameInfo
import ELF
import TableCompiler

/// The rows of an image, with the rules of all registers, read when they are needed.
final class ImageRows {
    /// A row and what its CIE says.
    struct Row {
        var cfa: CFARule
        var columns: AllRegisters
        /// Contains the expressions.
        var section: FrameSection
        var returnAddressRegister: UInt64
        var isSignalFrame: Bool
    }

    /// Own the sections' bytes.
    private let sources: FrameSources
    private var index = FrameIndex()
    private var known: [UInt64: Row?] = [:]
    private static let knownLimit = 512

    /// The number of FDEs.
    var entryCount: Int { index.count }

    /// Reads the headers of all entries.
    ///
    /// - Parameter debugFiles: finds the file with the rest of the image's .debug_frame.
    /// - Throws: `ELFError`, `CFIError`.
    init(_ image: ELFImage, debugFiles: DebugFileSearch?) throws {
        sources = try ImageInput(image, search: debugFiles).frames()
        try index.read(sources.sections, clippedTo: image.executableSegments)
    }

    /// The row in force at an SVMA; nil if no FDE covers it, or if its rules can't be read.
    func row(at address: UInt64) -> Row? {
        if let row = known[address] { return row }
        let row = readRow(at: address)
        if known.count >= Self.knownLimit { known = [:] }
        known[address] = .some(row)
        return row
    }

    private func readRow(at address: UInt64) -> Row? {
        guard let span = span(at: address), index.cies.indices.contains(span.cie) else { return nil }
        let cie = index.cies[span.cie]
        let section = sources.sections[cie.section]
        var sink = RowAt(address)
        do {
            let header = try section.entryHeader(at: Int(span.offset))
            let fde = try section.frameDescriptionEntry(header, cie: cie.entry)
            var interpreter = try Interpreter(section, cie: cie.entry, columns: AllRegisters())
            if case .poisoned(_, let location, _) = interpreter.run(fde, sink: &sink), location <= address {
                return nil
            }
            try sources.checkAreWhole()
        } catch {
            return nil
        }
        guard let state = sink.state, !state.columns.isIncomplete else { return nil }
        return Row(
            cfa: state.cfa, columns: state.columns, section: section,
            returnAddressRegister: cie.entry.returnAddressRegister, isSignalFrame: cie.entry.isSignalFrame)
    }

    /// The span that contains an SVMA.
    private func span(at address: UInt64) -> FrameSpan? {
        var (low, high) = (0, index.count)
        while low < high {
            let middle = (low + high) / 2
            if index.start(at: middle) <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let span = index.span(at: low - 1)
        return address < span.limit ? span : nil
    }
}

/// Keeps the row that is in force at an address.
private struct RowAt: RowSink {
    typealias Columns = AllRegisters

    private let address: UInt64
    private(set) var state: FrameState<AllRegisters>?

    init(_ address: UInt64) { self.address = address }

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<AllRegisters>>) {
        if location <= address { self.state = state.pointee }
    }
}
