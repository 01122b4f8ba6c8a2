import ELF
import Files
import KernelUnwinder

/// One address space for all sampled code. It contains each piece of a file once, however many processes map it and
/// wherever, so stacks take memory in proportion to the different stacks, not to the processes.
struct CodeSpace {
    /// A piece of a file, or memory without a file, identified by name.
    private struct Piece: Hashable {
        /// Of a file that can be opened; else nil.
        var identity: FileIdentity?
        /// The mapping's name, which identifies memory without a file.
        var name: String
        /// SVMA of its first byte; 0 without an image.
        var start: UInt64
        /// In bytes.
        var size: UInt64
    }

    private var places: [Piece: UInt64] = [:]
    private(set) var images = ProcessImages([])
    private var next: UInt64 = pageSize
    /// The piece that was found last, because neighbouring frames are often in the same one.
    private var last: (image: MappedImage, mapping: Range<UInt64>, bias: UInt64, start: UInt64)?
    /// Images without a table, by name, with the reason.
    private(set) var problems: [String: String] = [:]

    private static let pageSize: UInt64 = 4096

    /// The address in this space for an address in a mapping; 1, where nothing is, if there is no room.
    mutating func address(of pc: UInt64, in mapping: ProcessImages.Mapping) -> UInt64 {
        let image = mapping.image
        if let image, let last, last.image === image, last.bias == mapping.bias,
            last.mapping.lowerBound == mapping.start, last.mapping.upperBound == mapping.end
        {
            return last.start &+ (pc &- mapping.start)
        }
        // Without an image, nothing is known about single addresses, so one address stands for all.
        let size = image == nil ? Self.pageSize : mapping.end &- mapping.start
        let piece = Piece(
            identity: image?.image?.identity, name: mapping.name,
            start: image == nil ? 0 : mapping.start &- mapping.bias,
            size: size)
        guard let start = places[piece] ?? add(piece, mapping) else { return 1 }
        if let image, mapping.start < mapping.end {
            last = (image, mapping.start..<mapping.end, mapping.bias, start)
        }
        // A return address may be the address after the mapping's last byte.
        return image == nil ? start &+ 1 : start &+ (pc &- mapping.start)
    }

    private mutating func add(_ piece: Piece, _ mapping: ProcessImages.Mapping) -> UInt64? {
        guard piece.size < Sample.Frame.addressLimit - next - 2 * Self.pageSize else { return nil }
        let start = next
        // A page is left free, so that the address after a piece's last byte belongs to no other piece.
        next += (piece.size + 2 * Self.pageSize - 1) & ~(Self.pageSize - 1)
        places[piece] = start
        images.append(
            ProcessImages.Mapping(
                start: start, end: start + piece.size, bias: mapping.image == nil ? 0 : start &- piece.start,
                image: mapping.image, name: mapping.name))
        if let image = mapping.image ?? mapping.unusable, let problem = image.problem, !image.isGone {
            problems[image.name] = problem
        }
        return start
    }
}
