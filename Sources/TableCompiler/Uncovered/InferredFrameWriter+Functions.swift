import ELF
import Inference

extension InferredFrameWriter {
    /// Appends the functions in an image's gaps, as far as their instructions prove rules. Of x86-64.
    ///
    /// - Throws: `ELFError` if the image can't be read.
    mutating func appendFunctions(of image: ELFImage, _ gaps: CodeGaps) throws(ELFError) {
        guard !gaps.ranges.isEmpty else { return }
        let code = gaps.isStartUpCode ? try startUpCode(of: image, gaps) : try allCode(of: image, gaps)
        code.forEachFunction { append($0.rows) }
    }

    /// Nothing else is looked at, so that nothing else changes the table.
    private func startUpCode(of image: ELFImage, _ gaps: CodeGaps) throws(ELFError) -> UncoveredCode {
        UncoveredCode(
            code: try gaps.code(of: image).map { ProgramCode.Piece(address: $0.address, bytes: $0.bytes) }, data: [],
            covered: gaps.covered, gaps: gaps.ranges, starts: try gaps.startUpFunctions(of: image),
            searchesReferences: false)
    }

    private func allCode(of image: ELFImage, _ gaps: CodeGaps) throws(ELFError) -> UncoveredCode {
        var (code, data): ([ProgramCode.Piece], [ProgramCode.Piece]) = ([], [])
        for section in try image.sections() where section.isAllocated && !section.hasNoBits {
            let (_, overflow) = section.address.addingReportingOverflow(section.size)
            guard !overflow else { continue }
            let piece = ProgramCode.Piece(address: section.address, bytes: try image.bytes(of: section))
            if section.isExecutable { code.append(piece) } else { data.append(piece) }
        }
        let symbols = try image.loadedFunctionSymbols()
        var pointers: [UInt64] = []
        var isRelocated = false
        try image.forEachRelocatedAddress { address in
            isRelocated = true
            if gaps.contains(address) { pointers.append(address) }
        }
        return UncoveredCode(
            code: code, data: data, covered: gaps.covered, gaps: gaps.ranges,
            starts: try gaps.startUpFunctions(of: image) + symbols.addresses.filter(gaps.contains),
            pointers: pointers, isRelocated: isRelocated,
            nonReturning: try image.nonReturning(gaps.covered.lazy.map(\.lowerBound), symbols),
            searchesReferences: true)
    }
}
