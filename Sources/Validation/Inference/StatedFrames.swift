import CallFrameInfo

/// The rows of an image's FDEs, by the addresses that each FDE is responsible for.
struct StatedFrames {
    struct Frame {
        /// SVMAs.
        var range: Range<UInt64>
        var section: FrameSection
        var cie: Int
        var fde: FrameDescriptionEntry
    }

    /// Disjoint, in ascending address order.
    private(set) var frames: [Frame] = []
    private var interpreters: [Int: Interpreter<ComparedColumns>] = [:]
    private var cies: [FrameIndex.IndexedCIE]

    /// FDEs that can't be read, and those of functions that overlap others, are left out.
    ///
    /// - Parameters:
    ///   - sections: of one image.
    ///   - executable: SVMAs, sorted and disjoint.
    ///   - isLeftOut: whether the FDE that begins at an SVMA doesn't count.
    init(
        _ sections: [FrameSection], executable: [Range<UInt64>], isLeftOut: (UInt64) -> Bool
    ) throws(CFIError) {
        var index = FrameIndex()
        try index.read(sections, clippedTo: executable)
        cies = index.cies
        for position in 0..<index.count {
            let span = index.span(at: position)
            guard span.start < span.limit, !span.isPart, !isLeftOut(span.start) else { continue }
            let cie = cies[span.cie]
            let section = sections[cie.section]
            guard let header = try? section.entryHeader(at: Int(span.offset)),
                let fde = try? section.frameDescriptionEntry(header, cie: cie.entry), fde.start == span.start
            else { continue }
            frames.append(Frame(range: span.start..<span.limit, section: section, cie: span.cie, fde: fde))
        }
    }

    func cie(of frame: Frame) -> CommonInformationEntry { cies[frame.cie].entry }

    /// A frame's rows, in ascending address order; nil if its instructions can't be run.
    mutating func rows(of frame: Frame) -> [StatedRow]? {
        if interpreters[frame.cie] == nil {
            interpreters[frame.cie] = try? Interpreter(
                frame.section, cie: cies[frame.cie].entry, columns: ComparedColumns())
        }
        guard var interpreter = interpreters[frame.cie] else { return nil }
        var sink = Sink()
        guard interpreter.run(frame.fde, sink: &sink) == .complete else { return nil }
        return sink.rows
    }

    private struct Sink: RowSink {
        typealias Columns = ComparedColumns
        var rows: [StatedRow] = []

        mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<ComparedColumns>>) {
            let columns = state.pointee.columns
            rows.append(
                StatedRow(
                    address: location, cfa: state.pointee.cfa, framePointer: columns.framePointer,
                    returnAddress: columns.returnAddress))
        }
    }
}
