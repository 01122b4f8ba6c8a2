import ELF

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
        /// What the kernel calls it; empty if it has no name.
        public var name: String
    }

    public private(set) var mappings: [Mapping] = []
    /// Images, each once.
    public private(set) var images: [MappedImage] = []
    /// What was read, to see whether it changed.
    private let source: [ExecutableMapping]

    /// Opens images and loads their tables.
    init(_ map: MemoryMap, _ process: Int32, _ supply: ImageSupply) {
        source = map.mappings
        supply.prepare(map.mappings, of: process)
        defer { supply.forgetPrepared() }
        var seen: Set<ObjectIdentifier> = []
        for mapping in map.mappings {
            let image: MappedImage?
            switch mapping.path {
            case "[vdso]": image = supply.vdso(mapping, in: process)
            // Calls into it are emulated: no frame stands there.
            case "[vsyscall]", "[uprobes]": continue
            default: image = mapping.isFile ? supply.image(of: mapping, in: process) : nil
            }
            // A file that is no image: libraries of Java and other machines map theirs so, and code they made themselves.
            let bias = image?.bias(start: mapping.start, offset: mapping.path == "[vdso]" ? 0 : mapping.offset)
            mappings.append(Mapping(
                start: mapping.start, end: mapping.end, bias: bias ?? 0, image: bias == nil ? nil : image,
                name: mapping.path))
            if let image, seen.insert(ObjectIdentifier(image)).inserted { images.append(image) }
        }
    }

    /// Whether the same is mapped at the same places.
    func isSame(as other: ProcessImages) -> Bool { source == other.source }

    /// The mapping that an AVMA is in.
    public func mapping(at address: UInt64) -> Mapping? {
        var first = 0
        var end = mappings.count
        while first < end {
            let middle = (first + end) / 2
            if mappings[middle].start <= address { first = middle + 1 } else { end = middle }
        }
        return first > 0 && address < mappings[first - 1].end ? mappings[first - 1] : nil
    }

    /// What the programs are told: a mapping for each range of a table that it is of.
    var placedMappings: [PlacedMapping] {
        var placed: [PlacedMapping] = []
        for mapping in mappings {
            var start = mapping.start
            for range in mapping.image?.table?.placed.ranges ?? [] {
                // Ranges stand by rising address. AVMAs and SVMAs wrap around at 2^64.
                let first = max(start &- mapping.bias, range.addresses.lowerBound) &+ mapping.bias
                let end = min(mapping.end &- mapping.bias, range.addresses.upperBound) &+ mapping.bias
                guard first < end, first >= start, end <= mapping.end else { continue }
                if first > start {
                    placed.append(PlacedMapping(start: start, end: first, bias: 0, range: 0))
                }
                placed.append(PlacedMapping(start: first, end: end, bias: mapping.bias, range: range.place))
                start = end
            }
            if start < mapping.end { placed.append(PlacedMapping(start: start, end: mapping.end, bias: 0, range: 0)) }
        }
        return placed
    }
}
