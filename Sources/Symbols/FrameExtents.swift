import CallFrameInfo
import ELF
import Search
import TableCompiler

/// Where the FDEs of an image begin and end: its functions, whether they have names or not.
struct FrameExtents {
    /// What an address has in common with all others of one function.
    enum Place: Equatable {
        /// In this FDE.
        case inside(Int)
        /// Behind this one, and before the next.
        case behind(Int)
    }

    /// By rising address, and disjoint.
    private var starts: [UInt64] = []
    private var limits: [UInt64] = []
    /// Where FDEs begin of which others cover a part, by the index of what follows that part.
    private var beginnings: [Int: UInt64] = [:]

    var isEmpty: Bool { starts.isEmpty }

    /// Reads the image's own call frame information. Malformed entries are left out.
    init(of image: ELFImage) throws(ELFError) {
        let sources = try FrameSources(of: image, search: nil)
        var index = FrameIndex()
        do throws(CFIError) {
            try index.read(sources.sections, clippedTo: image.executableSegments)
        } catch {
            throw ELFError(file: image.name, kind: .unsupported("call frame information: \(error)"))
        }
        starts.reserveCapacity(index.count)
        limits.reserveCapacity(index.count)
        for position in 0..<index.count {
            let span = index.span(at: position)
            if span.isContinuation, let first = beginning(of: span, in: index, before: position) {
                beginnings[position] = first
            }
            starts.append(span.start)
            limits.append(span.limit)
        }
        try sources.checkAreWhole()
    }

    /// Where the first part is of the FDE that a part is of. Few FDEs are in parts, and these not in many.
    private func beginning(of part: FrameSpan, in index: borrowing FrameIndex, before position: Int) -> UInt64? {
        for other in stride(from: position - 1, through: max(0, position - 64), by: -1) {
            let span = index.span(at: other)
            if span.offset == part.offset, span.cie == part.cie { return beginnings[other] ?? span.start }
        }
        return nil
    }

    func place(of address: UInt64) -> Place {
        guard let index = starts.lastIndex(atMost: address, by: { $0 }) else { return .behind(-1) }
        return address < limits[index] ? .inside(index) : .behind(index)
    }

    /// SVMA at which the FDE begins that covers an address; nil if there is none.
    func start(of address: UInt64) -> UInt64? {
        guard case .inside(let index) = place(of: address) else { return nil }
        return beginnings[index] ?? starts[index]
    }
}
