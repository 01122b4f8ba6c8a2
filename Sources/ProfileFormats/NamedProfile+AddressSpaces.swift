import Search

extension NamedProfile {
    /// A part of a module's file that processes map as a whole.
    public struct Piece: Hashable, Sendable {
        /// In ``NamedProfile/modules``.
        public var module: UInt32
        /// SVMA of the first byte.
        public var start: UInt64
        /// In bytes, at least 1. The end is at most 2^64 - 1.
        public var size: UInt64
        /// Of the first byte in the file, in bytes.
        public var offset: UInt64

        /// A piece of these numbers.
        public init(module: UInt32, start: UInt64, size: UInt64, offset: UInt64) {
            (self.module, self.start, self.size, self.offset) = (module, start, size, offset)
        }

        /// SVMAs.
        var range: Range<UInt64> { start..<(start + size) }

        /// AVMA - SVMA.
        func bias(at mapping: Mapping) -> UInt64 { mapping.start &- start }
    }

    /// Where a process maps a piece.
    public struct Mapping: Hashable, Sendable {
        /// The size of the memory pages that ``page`` counts.
        public static let pageSize: UInt64 = 4096

        /// AVMA of the piece's first byte, divided by ``pageSize``. The piece ends before 2^64 there.
        public var page: UInt64
        /// In ``NamedProfile/pieces``.
        public var piece: UInt32

        /// A mapping of a piece.
        public init(page: UInt64, piece: UInt32) { (self.page, self.piece) = (page, piece) }

        /// AVMA of the piece's first byte.
        public var start: UInt64 { page &* Self.pageSize }
    }
}

extension NamedProfile {
    /// The mapping of a piece that has an SVMA at an AVMA; nil if there is no such mapping.
    func mapping(of piece: UInt32, thatHas address: UInt64, at place: UInt64) -> Mapping? {
        let (offset, size) = (address &- pieces[Int(piece)].start, pieces[Int(piece)].size)
        guard place >= offset, (place - offset) % Mapping.pageSize == 0, size <= .max - (place - offset) else {
            return nil
        }
        return Mapping(page: (place - offset) / Mapping.pageSize, piece: piece)
    }
}

/// Which bytes of modules are at which distance from somewhere else. Ranges that overlap at the same distance are
/// one; where others overlap, no distance is known.
struct ModuleRanges {
    private struct Entry {
        var module: UInt32
        var range: Range<UInt64>
        /// Nil where several overlap.
        var distance: UInt64?
    }

    /// By module and address, without overlaps.
    private var entries: [Entry] = []

    init(_ ranges: some Sequence<(piece: NamedProfile.Piece, distance: UInt64)>) {
        let sorted = ranges.map { Entry(module: $0.piece.module, range: $0.piece.range, distance: $0.distance) }
            .sorted { ($0.module, $0.range.lowerBound) < ($1.module, $1.range.lowerBound) }
        for next in sorted { add(next) }
    }

    private mutating func add(_ next: Entry) {
        guard let last = entries.last, last.module == next.module, next.range.lowerBound < last.range.upperBound else {
            return entries.append(next)
        }
        let end = max(last.range.upperBound, next.range.upperBound)
        entries[entries.count - 1].range = last.range.lowerBound..<end
        if last.distance != next.distance { entries[entries.count - 1].distance = nil }
    }

    /// The range that a module's address is in, and its distance; nil if there is none.
    func find(_ address: UInt64, in module: UInt32) -> (range: Range<UInt64>, distance: UInt64)? {
        let next = entries.partitioningIndex {
            ($0.module, $0.range.lowerBound) > (module, address)
        }
        guard next > 0, entries[next - 1].module == module, entries[next - 1].range.contains(address),
            let distance = entries[next - 1].distance
        else { return nil }
        return (entries[next - 1].range, distance)
    }
}

/// Where the frames of a profile's stacks were in their processes.
struct ProcessAddresses {
    /// By address space.
    private let spaces: [ModuleRanges]

    init(_ profile: NamedProfile) {
        spaces = profile.spaces.map { mappings in
            ModuleRanges(
                mappings.map { mapping in
                    let piece = profile.pieces[Int(mapping.piece)]
                    return (piece, piece.bias(at: mapping))
                })
        }
    }

    /// A frame's address in the process; the one in the file if it isn't known where that was mapped.
    func address(of frame: NamedProfile.Frame, in space: UInt32) -> UInt64 {
        guard space > 0, let module = frame.module,
            let (_, bias) = spaces[Int(space)].find(frame.lookupAddress, in: module)
        else { return frame.address }
        return frame.address &+ bias
    }
}

extension NamedProfile.Frame {
    /// An address in the function: of the call, if the frame has a return address.
    var lookupAddress: UInt64 { marks.contains(.exact) || address == 0 ? address : address - 1 }
}
