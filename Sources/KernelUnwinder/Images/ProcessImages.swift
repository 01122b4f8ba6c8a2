import ELF
import LinuxProcess
import Search

/// What a process maps executable, by rising address, as of one moment.
public struct ProcessImages {
    public struct Mapping {
        /// AVMAs.
        public var start: UInt64
        public var end: UInt64
        /// AVMA − SVMA; 0 if there is no image.
        public var bias: UInt64
        /// Nil of memory without a file, such as code made at run time.
        public var image: MappedImage?
        /// The file instead, if it can't be used: ``MappedImage/problem`` says why.
        public var unusable: MappedImage?
        /// What the kernel calls it; empty if it has no name.
        public var name: String
        /// What was mapped; nil where nobody knows.
        var source: ExecutableMapping?

        public init(
            start: UInt64, end: UInt64, bias: UInt64, image: MappedImage?, name: String
        ) {
            (self.start, self.end, self.bias, self.image, self.name) = (start, end, bias, image, name)
        }
    }

    public private(set) var mappings: [Mapping] = []
    /// Images, each once.
    public private(set) var images: [MappedImage] = []
    /// When reading it began: CLOCK_MONOTONIC, in nanoseconds. What was mapped before is in it.
    public let time: UInt64
    /// Which samples were unwound by it: ``Sample/mappings``. 0 until the programs were told.
    public internal(set) var number: UInt32 = 0
    /// What was read, to see whether it changed.
    private let source: [ExecutableMapping]

    /// Opens images and loads their tables.
    init(_ map: MemoryMap, _ known: MappedImages) {
        let process = map.thread
        known.prepare(map.mappings, of: process)
        defer { known.finishProcess() }
        self.init(map.mappings, time: map.time) { mapping in
            if mapping.path == "[vdso]" { return known.vdso(mapping, in: process) }
            return mapping.isFile ? known.image(of: mapping, in: process) : nil
        }
    }

    /// - Parameter image: the image that a mapping is of; nil of memory without a file.
    init(_ source: [ExecutableMapping], time: UInt64, image: (ExecutableMapping) -> MappedImage?) {
        self.source = source
        self.time = time
        var seen: Set<ObjectIdentifier> = []
        // Calls into this are emulated: no frame stands there.
        for mapping in source where mapping.path != "[uprobes]" {
            let image = image(mapping)
            mappings.append(Mapping(mapping, of: image))
            if let image, seen.insert(ObjectIdentifier(image)).inserted { images.append(image) }
        }
    }

    /// Mappings by rising address, to be looked up in only.
    package init(_ mappings: [Mapping], time: UInt64 = 0) {
        (self.mappings, self.time, source) = (mappings, time, [])
    }

    /// Adds one that stands behind all others.
    package mutating func append(_ mapping: Mapping) { mappings.append(mapping) }

    /// Whether the same is mapped at the same places. A new file may have the name and the inode of one that is gone.
    func isSame(as other: ProcessImages) -> Bool {
        source == other.source && images.elementsEqual(other.images) { $0 === $1 }
    }

    /// The mapping that an AVMA is in.
    public func mapping(at address: UInt64) -> Mapping? {
        guard let index = mappings.lastIndex(atMost: address, by: { $0.start }) else { return nil }
        return address < mappings[index].end ? mappings[index] : nil
    }

    /// What the programs are told.
    var placedMappings: [PlacedMapping] { mappings.flatMap { $0.placed($0.image?.table?.placed.ranges ?? []) } }
}

extension ProcessImages.Mapping {
    /// - Parameter image: nil of memory without a file.
    init(_ source: ExecutableMapping, of image: MappedImage?) {
        // A file that is no image: libraries of Java and other machines map theirs so, and code they made themselves.
        let bias = image?.bias(
            of: source.start..<max(source.start, source.end), at: source.path == "[vdso]" ? 0 : source.offset)
        self.init(
            start: source.start, end: source.end, bias: bias ?? 0, image: bias == nil ? nil : image, name: source.path)
        self.source = source
        unusable = bias == nil ? image : nil
    }

    /// Whether the same place of the same file is mapped there. Of files that are gone only their numbers are known.
    package func isSame(as other: Self) -> Bool {
        guard let source, let theirs = other.source, source.isSame(as: theirs) else { return false }
        guard let identity = image?.image?.identity, let their = other.image?.image?.identity else { return true }
        return identity == their
    }

    /// A mapping for each range of a table that it is of, by rising address, and one for what lies beside them.
    func placed(_ ranges: [PlacedTable.Range]) -> [PlacedMapping] {
        var placed: [PlacedMapping] = []
        var next = start
        for range in ranges {
            // AVMAs and SVMAs wrap around at 2^64.
            let first = max(next &- bias, range.addresses.lowerBound) &+ bias
            let end = min(self.end &- bias, range.addresses.upperBound) &+ bias
            guard first < end, first >= next, end <= self.end else { continue }
            if first > next { placed.append(PlacedMapping(start: next, end: first, bias: 0, range: 0)) }
            placed.append(PlacedMapping(start: first, end: end, bias: bias, range: range.place))
            next = end
        }
        if next < end { placed.append(PlacedMapping(start: next, end: end, bias: 0, range: 0)) }
        return placed
    }
}
