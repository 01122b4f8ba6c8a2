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

    /// Where a piece is.
    private final class Place {
        let start: UInt64
        /// When a frame was last found in it, by `clock`.
        var used: Int

        init(_ start: UInt64, used: Int) { (self.start, self.used) = (start, used) }
    }

    private var places: [Piece: Place] = [:]
    /// Incremented with each look at the files that are open.
    private var clock = 0
    private(set) var images = ProcessImages([])
    private var next: UInt64 = pageSize
    /// The piece that was found last, because neighbouring frames are often in the same one.
    private var last: (image: MappedImage, mapping: Range<UInt64>, bias: UInt64, place: Place)?
    /// Images without a table, by name, with the reason.
    private(set) var problems: [String: String] = [:]
    /// Functions of files that were closed.
    private var functions = FunctionAddresses()
    /// Code that processes generated and name.
    private var generated = GeneratedAddresses()
    /// The number of pieces of open files.
    private(set) var openCount = 0
    /// The number at which those are looked for that no process maps.
    private var openLimit: Int
    /// How many of these are worth a look at all stacks.
    private let unmappedLimit: Int

    private static let pageSize: UInt64 = 4096

    /// - Parameter unmappedLimit: how many files are kept open that no process maps.
    init(unmappedLimit: Int = 256) {
        self.unmappedLimit = unmappedLimit
        openLimit = unmappedLimit
    }

    /// The address in this space for an address in a mapping; 1, where nothing is, if there is no room.
    mutating func address(of pc: UInt64, in mapping: ProcessImages.Mapping) -> UInt64 {
        let image = mapping.image
        if let image, let last, last.image === image, last.bias == mapping.bias,
            last.mapping.lowerBound == mapping.start, last.mapping.upperBound == mapping.end
        {
            last.place.used = clock
            return last.place.start &+ (pc &- mapping.start)
        }
        // Without an image, nothing is known about single addresses, so one address stands for all.
        let size = image == nil ? Self.pageSize : mapping.end &- mapping.start
        let piece = Piece(
            identity: image?.image?.identity, name: mapping.name,
            start: image == nil ? 0 : mapping.start &- mapping.bias,
            size: size)
        guard let place = places[piece] ?? add(piece, mapping) else { return 1 }
        place.used = clock
        if let image, mapping.start < mapping.end {
            last = (image, mapping.start..<mapping.end, mapping.bias, place)
        }
        // A return address may be the address after the mapping's last byte.
        return image == nil ? place.start &+ 1 : place.start &+ (pc &- mapping.start)
    }

    private mutating func add(_ piece: Piece, _ mapping: ProcessImages.Mapping) -> Place? {
        guard piece.size < FunctionAddresses.start - next - 2 * Self.pageSize else { return nil }
        let start = next
        // A page is left free, so that the address after a piece's last byte belongs to no other piece.
        next += (piece.size + 2 * Self.pageSize - 1) & ~(Self.pageSize - 1)
        let place = Place(start, used: clock)
        places[piece] = place
        images.append(
            ProcessImages.Mapping(
                start: start, end: start + piece.size, bias: mapping.image == nil ? 0 : start &- piece.start,
                offset: mapping.offset, image: mapping.image, name: mapping.name))
        if mapping.image?.image != nil { openCount += 1 }
        if let image = mapping.image ?? mapping.unusable, let problem = image.problem, !image.isGone {
            problems[image.name] = problem
        }
        return place
    }

    // MARK: Files that are gone

    /// Gives out pieces of files that no process maps, if there are many of them: not those in which frames were found last,
    /// because the same program may be started again. Code that is found in them from now on becomes another piece.
    /// ``close(_:)`` has to follow.
    mutating func takeUnmapped() -> [ProcessImages.Mapping] {
        clock += 1
        guard openCount >= openLimit else { return [] }
        let unmapped = places.compactMap { piece, place -> Unmapped? in
            guard let mapping = images.mapping(at: place.start), let image = mapping.image, image.image != nil,
                !image.isMapped
            else { return nil }
            return Unmapped(piece: piece, mapping: mapping, used: place.used)
        }
        guard unmapped.count >= unmappedLimit else {
            openLimit = openCount - unmapped.count + unmappedLimit
            return []
        }
        let taken = unmapped.sorted { $0.used < $1.used }.dropLast(unmappedLimit / 2)
        openLimit = openCount - taken.count + unmappedLimit / 2
        for one in taken { places[one.piece] = nil }
        last = nil
        return taken.map(\.mapping).sorted { $0.start < $1.start }
    }

    private struct Unmapped {
        var piece: Piece
        var mapping: ProcessImages.Mapping
        var used: Int
    }

    /// The address that stands for a function in files that are closed.
    mutating func address(ofFunction name: String, isExact: Bool) -> UInt64 {
        functions.address(of: name, isExact: isExact)
    }

    /// The name of the function that an address stands for.
    func function(at address: UInt64) -> String? { functions.name(at: address) }

    /// The address for a place in generated code; nil if there are too many.
    mutating func address(of place: GeneratedCode.Place, isExact: Bool) -> UInt64? {
        generated.address(of: place, isExact: isExact)
    }

    /// The place in generated code that an address stands for.
    func generatedPlace(at address: UInt64) -> GeneratedCode.Place? { generated.place(at: address) }
    /// All places in generated code.
    var generatedPlaces: [GeneratedCode.Place] { generated.places }
    /// Whether there were too many places in generated code.
    var hasTooManyPlaces: Bool { generated.isFull }

    // MARK: Intervals

    /// A copy for looking up addresses on another thread, which has images of its own.
    func forAnotherThread() -> CodeSpace {
        var copy = CodeSpace()
        (copy.functions, copy.generated, copy.problems) = (functions, generated, problems)
        var others: [ObjectIdentifier: MappedImage] = [:]
        copy.images = ProcessImages(
            images.mappings.map { mapping in
                guard let image = mapping.image else { return mapping }
                var mapping = mapping
                mapping.image = others[ObjectIdentifier(image)] ?? image.another()
                others[ObjectIdentifier(image)] = mapping.image
                return mapping
            })
        return copy
    }

    /// The address in this space for a frame in another one; 1, where nothing is, if there is no room.
    ///
    /// - Parameter owners: the number of each owner of generated code by its number there.
    mutating func address(of frame: Sample.Frame, in other: CodeSpace, owners: [Int: Int]) -> UInt64 {
        if let name = other.function(at: frame.lookupAddress) {
            return address(ofFunction: name, isExact: frame.isExact)
        }
        if var place = other.generatedPlace(at: frame.lookupAddress) {
            guard let owner = owners[place.owner] else { return 1 }
            place.owner = owner
            return address(of: place, isExact: frame.isExact) ?? 1
        }
        return other.images.mapping(at: frame.lookupAddress).map { address(of: frame.pc, in: $0) } ?? 1
    }

    /// Forgets pieces in which there are no frames any more.
    mutating func close(_ pieces: [ProcessImages.Mapping]) {
        let starts = Set(pieces.map(\.start))
        images = ProcessImages(images.mappings.filter { !starts.contains($0.start) })
        openCount -= pieces.count
    }
}

/// Addresses that stand for functions by name, above those of all pieces of files.
private struct FunctionAddresses {
    static let start = Sample.Frame.addressLimit / 2

    private var names: [String] = []
    private var indices: [String: Int] = [:]

    /// Each has two: one for frames that stopped there, and the next for return addresses.
    mutating func address(of name: String, isExact: Bool) -> UInt64 {
        let index = indices[name] ?? names.count
        if index == names.count {
            indices[name] = index
            names.append(name)
        }
        return Self.start + UInt64(2 * index) + (isExact ? 0 : 1)
    }

    /// - Parameter address: a frame's ``KernelUnwinder/Sample/Frame/lookupAddress``.
    func name(at address: UInt64) -> String? {
        guard address >= Self.start, (address - Self.start) / 2 < UInt64(names.count) else { return nil }
        return names[Int((address - Self.start) / 2)]
    }
}

/// Addresses that stand for places in generated code, above those of functions.
private struct GeneratedAddresses {
    static let start = Sample.Frame.addressLimit / 4 * 3
    /// As many take 100 MiB.
    static let limit = 1 << 20

    private(set) var places: [GeneratedCode.Place] = []
    private var indices: [GeneratedCode.Place: Int] = [:]
    private(set) var isFull = false

    /// Each has two, as in ``FunctionAddresses``.
    mutating func address(of place: GeneratedCode.Place, isExact: Bool) -> UInt64? {
        let index = indices[place] ?? places.count
        if index == places.count {
            guard index < Self.limit else {
                isFull = true
                return nil
            }
            indices[place] = index
            places.append(place)
        }
        return Self.start + UInt64(2 * index) + (isExact ? 0 : 1)
    }

    func place(at address: UInt64) -> GeneratedCode.Place? {
        guard address >= Self.start, (address - Self.start) / 2 < UInt64(places.count) else { return nil }
        return places[Int((address - Self.start) / 2)]
    }
}
