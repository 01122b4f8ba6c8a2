import ELF
import Files
import KernelUnwinder

/// Addresses for all code that samples were seen in, each piece of a file once, however many processes map it and
/// wherever: so that stacks take memory in proportion to different stacks, not to processes.
struct CodeSpace {
    /// A piece of a file; or memory without one, by its name.
    private struct Piece: Hashable {
        /// Of a file that can be opened.
        var identity: FileIdentity?
        /// What else there is to tell it by.
        var name: String
        /// SVMA of its start; 0 without an image.
        var start: UInt64
        /// In bytes.
        var size: UInt64
    }

    private var places: [Piece: UInt64] = [:]
    private(set) var images = ProcessImages([])
    private var next: UInt64 = pageSize
    /// Images without a table, and why, by name.
    private(set) var problems: [String: String] = [:]

    private static let pageSize: UInt64 = 4096

    /// The address here of one in a mapping; 1, where nothing is, if there is no room.
    mutating func address(of pc: UInt64, in mapping: ProcessImages.Mapping) -> UInt64 {
        let image = mapping.image
        // Without an image, nothing is known of single addresses: one stands for all.
        let size = image == nil ? Self.pageSize : mapping.end &- mapping.start
        let piece = Piece(
            identity: image?.image?.identity, name: mapping.name,
            start: image == nil ? 0 : mapping.start &- mapping.bias,
            size: size)
        guard let start = places[piece] ?? add(piece, mapping) else { return 1 }
        // A return address may stand right behind the mapping.
        return image == nil ? start &+ 1 : start &+ (pc &- mapping.start)
    }

    private mutating func add(_ piece: Piece, _ mapping: ProcessImages.Mapping) -> UInt64? {
        guard piece.size < Sample.Frame.addressLimit - next - 2 * Self.pageSize else { return nil }
        let start = next
        // A page is left free, so that an address right behind a piece is in no other one.
        next += (piece.size + 2 * Self.pageSize - 1) & ~(Self.pageSize - 1)
        places[piece] = start
        images.append(
            ProcessImages.Mapping(
                start: start, end: start + piece.size, bias: mapping.image == nil ? 0 : start &- piece.start,
                image: mapping.image, name: mapping.name))
        if let image = mapping.image ?? mapping.unusable, let problem = image.problem { problems[image.name] = problem }
        return start
    }
}
