import ELF
import LinuxProcess
import Search

/// The executable mappings of a process at one moment, in ascending order of addresses.
public struct ProcessImages {
    /// A range of the process's memory that it maps executable.
    public struct Mapping {
        /// AVMA of the first byte.
        public var start: UInt64
        /// AVMA behind the last byte.
        public var end: UInt64
        /// AVMA − SVMA; 0 without an image.
        public var bias: UInt64
        /// Of the first byte in the file, in bytes; 0 without a file.
        public var offset: UInt64
        /// Nil for memory without a file, such as code generated at run time.
        public var image: MappedImage?
        /// A mapped file that can't be used, instead of `image`; ``MappedImage/problem`` states why.
        public var unusable: MappedImage?
        /// The path, or the kernel's name for the memory; empty if it has no name.
        public var name: String
        /// The mapping as it was read; nil if it isn't known.
        var source: ExecutableMapping?
        /// Whether it is known from an event, and no sample has needed its file yet
        /// (``KernelUnwinder/KernelUnwinder/opened(_:in:)``).
        package var isUnopened = false

        package init(
            start: UInt64, end: UInt64, bias: UInt64, offset: UInt64 = 0, image: MappedImage?, name: String
        ) {
            (self.start, self.end, self.bias, self.offset) = (start, end, bias, offset)
            (self.image, self.name) = (image, name)
        }
    }

    /// By rising address, without overlaps.
    public private(set) var mappings: [Mapping] = []
    /// The images of the mappings, each once.
    public private(set) var images: [MappedImage] = []
    /// When reading began, by CLOCK_MONOTONIC, in nanoseconds. Earlier mappings are included.
    public let time: UInt64
    /// The number that samples unwound with these mappings have in ``Sample/mappings``. 0 until the mappings are
    /// published to the BPF programs.
    public internal(set) var number: UInt32 = 0
    /// The mappings as they were read, to detect changes.
    private let source: [ExecutableMapping]

    /// Opens images and loads their tables.
    init(_ map: MemoryMap, _ known: MappedImages, waitsForTables: Bool) {
        let process = map.thread
        known.prepare(map.mappings, of: process)
        defer { known.finishProcess(waitsForTables: waitsForTables) }
        self.init(map.mappings, time: map.time) { mapping in
            if mapping.path == "[vdso]" { return known.vdso(mapping, in: process, waitsForTables: waitsForTables) }
            return mapping.isFile ? known.image(of: mapping, in: process, waitsForTables: waitsForTables) : nil
        }
    }

    /// - Parameter image: returns the image of a mapping; nil for memory without a file.
    init(_ source: [ExecutableMapping], time: UInt64, image: (ExecutableMapping) -> MappedImage?) {
        self.source = source
        self.time = time
        var seen: Set<ObjectIdentifier> = []
        // The kernel emulates the instructions there, so no frame is in them.
        for mapping in source where mapping.path != "[uprobes]" {
            let image = image(mapping)
            mappings.append(Mapping(mapping, of: image))
            if let image, seen.insert(ObjectIdentifier(image)).inserted { images.append(image) }
        }
    }

    /// Creates a set of mappings, in ascending order of addresses, that serves only for lookups.
    package init(_ mappings: [Mapping], time: UInt64 = 0) {
        (self.mappings, self.time, source) = (mappings, time, [])
    }

    /// Adds a mapping at a higher address than all others.
    package mutating func append(_ mapping: Mapping) { mappings.append(mapping) }

    /// The mappings after another one was mapped at a time, in place of whatever was there.
    package func replacing(with mapping: Mapping, at time: UInt64) -> Self {
        var all = mappings.flatMap { $0.remains(without: mapping.start, mapping.end) }
        all.insert(mapping, at: (all.lastIndex(atMost: mapping.start) { $0.start } ?? -1) + 1)
        return Self(all, time: time)
    }

    /// The mappings with the files of those at an address range opened.
    package func replacing(_ unopened: Mapping, by opened: Mapping) -> Self {
        Self(mappings.map { $0.isUnopened && $0.source == unopened.source ? opened.clipped(to: $0) : $0 }, time: time)
    }

    /// Whether the same images are mapped at the same addresses. Comparing mappings isn't enough: a new file may have
    /// the name and the inode of a deleted one.
    func isSame(as other: ProcessImages) -> Bool {
        source == other.source && images.elementsEqual(other.images) { $0 === $1 }
    }

    /// The mapping that contains an AVMA.
    public func mapping(at address: UInt64) -> Mapping? {
        guard let index = mappings.lastIndex(atMost: address, by: { $0.start }) else { return nil }
        return address < mappings[index].end ? mappings[index] : nil
    }

    /// The mappings in the form that the BPF programs get.
    var placedMappings: [PlacedMapping] { mappings.flatMap { $0.placed($0.image?.table?.ranges ?? []) } }
}

extension ProcessImages.Mapping {
    /// - Parameter image: nil for memory without a file.
    init(_ source: ExecutableMapping, of image: MappedImage?) {
        // A mapping may be of a file that isn't an ELF image: some virtual machines map their libraries and generated
        // code that way.
        let offset = source.path == "[vdso]" ? 0 : source.offset
        let bias = image?.bias(of: source.start..<max(source.start, source.end), at: offset)
        self.init(
            start: source.start, end: source.end, bias: bias ?? 0, offset: offset,
            image: bias == nil ? nil : image, name: source.path)
        self.source = source
        unusable = bias == nil ? image : nil
    }

    /// A mapping whose file was not opened yet.
    init(unopened source: ExecutableMapping) {
        self.init(
            start: source.start, end: source.end, bias: 0, offset: source.offset, image: nil, name: source.path)
        self.source = source
        isUnopened = true
    }

    /// What is left of it if a range is replaced.
    fileprivate func remains(without start: UInt64, _ end: UInt64) -> [Self] {
        if end <= self.start || start >= self.end { return [self] }
        return [part(self.start, start), part(end, self.end)].filter { $0.start < $0.end }
    }

    /// The part that another mapping covers.
    fileprivate func clipped(to other: Self) -> Self { part(other.start, other.end) }

    private func part(_ start: UInt64, _ end: UInt64) -> Self {
        var part = self
        (part.start, part.end, part.offset) = (start, end, offset &+ (start &- self.start))
        return part
    }

    /// Whether both map the same offset of the same file to an address. Deleted files are compared only by device and
    /// inode.
    package func isSame(as other: Self) -> Bool {
        guard let source, let theirs = other.source, source.isSame(as: theirs) else { return false }
        guard let identity = image?.image?.identity, let their = other.image?.image?.identity else { return true }
        return identity == their
    }

    /// Divides the mapping among the ranges of its table: one part for each range and for the space between them, in
    /// ascending order of addresses.
    func placed(_ ranges: [PlacedRange]) -> [PlacedMapping] {
        if let image, image.isPending {
            let range = image.needSpan?.place ?? 0
            return [PlacedMapping(start: start, end: end, bias: 0, range: range, isPending: true)]
        }
        var placed: [PlacedMapping] = []
        var next = start
        for range in ranges {
            // Addresses wrap around at 2^64.
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
