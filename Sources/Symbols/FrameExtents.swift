import CallFrameInfo
import ELF
import Search
import TableCompiler

/// The extents of an image's FDEs, and thereby of its functions, even if they have no symbols.
struct FrameExtents {
    /// Where an address is relative to the FDEs. All addresses of one function have the same value.
    enum Place: Equatable {
        /// In the FDE with this index.
        case inside(Int)
        /// After the FDE with this index and before the next one. The index is -1 before the first FDE.
        case behind(Int)
    }

    /// SVMAs, in ascending order and disjoint.
    private var starts: [UInt64] = []
    private var limits: [UInt64] = []
    /// The start of a partly covered FDE, by the index of each of its parts except the first.
    private var beginnings: [Int: UInt64] = [:]

    var isEmpty: Bool { starts.isEmpty }

    /// Reads the image's own call frame information. Ignores malformed entries.
    ///
    /// Throws `ELFError` if it can't be read.
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

    /// The start of the FDE that a part belongs to. Looks only at the 64 preceding spans: few FDEs have several parts,
    /// and those are close together.
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

    /// SVMA of the start of the FDE that covers an address; nil if there is none.
    func start(of address: UInt64) -> UInt64? {
        guard case .inside(let index) = place(of: address) else { return nil }
        return beginnings[index] ?? starts[index]
    }
}
