import Symbols

/// The mappings in pprof's files, of which each location is in one.
///
/// What readers compute is an address's offset in the file: address - start + offset. So a piece of a file is a mapping of its own.
/// It is where the processes had it, if they all had the file in the same place; else where the file itself has it. A mapping
/// of code that isn't known to be in a piece begins at 0.
struct PprofMappings {
    struct Mapping {
        var module: UInt32
        /// Of the first byte, and behind the last one.
        var start: UInt64, limit: UInt64
        /// Of the first byte in the file.
        var offset: UInt64
        var hasFiles = false, hasInlined = false

        /// Adds another frame's mapping with the same start.
        fileprivate mutating func add(_ other: Self) {
            limit = max(limit, other.limit)
            hasFiles = hasFiles || other.hasFiles
            hasInlined = hasInlined || other.hasInlined
        }
    }

    /// A module's code from an SVMA on; `start` is nil if no piece is known.
    private struct Key: Hashable, Comparable {
        var module: UInt32
        var start: UInt64?

        static func < (one: Self, other: Self) -> Bool {
            (one.module, one.start ?? 0, one.start == nil ? 0 : 1)
                < (other.module, other.start ?? 0, other.start == nil ? 0 : 1)
        }
    }

    /// Numbered from 1.
    private(set) var all: [Mapping] = []
    /// By frame: its mapping's number; 0 if it isn't in a module.
    private(set) var numbers: [Int] = []
    /// By frame, of the instruction or inside the call.
    private(set) var addresses: [UInt64]

    init(of profile: NamedProfile) {
        addresses = profile.frames.map(\.lookupAddress)
        let offsets = ModuleRanges(profile.pieces.map { ($0, $0.offset &- $0.start) })
        let biases = Self.biases(of: profile)
        var found: [Key: Mapping] = [:]
        let keys = profile.frames.enumerated().map { number, frame -> Key? in
            guard let module = frame.module else { return nil }
            let address = addresses[number]
            var key = Key(module: module, start: nil), mapping = Mapping(module: module, start: 0, limit: 0, offset: 0)
            // It ends behind the last frame in it.
            mapping.limit = frame.address | 0xfff == .max ? .max : (frame.address | 0xfff) + 1
            if let (range, distance) = offsets.find(address, in: module) {
                let bias = biases[Int(module)] ?? 0
                addresses[number] = address &+ bias
                key.start = range.lowerBound
                (mapping.start, mapping.limit) = (range.lowerBound &+ bias, range.upperBound &+ bias)
                mapping.offset = range.lowerBound &+ distance
            }
            mapping.hasFiles = frame.file != profile.noName
            mapping.hasInlined = frame.marks.contains(.inlined)
            found[key, default: mapping].add(mapping)
            return key
        }
        let sorted = found.keys.sorted()
        all = sorted.compactMap { found[$0] }
        let numbersOfKeys = Dictionary(uniqueKeysWithValues: zip(sorted, 1...))
        numbers = keys.map { key in key.flatMap { numbersOfKeys[$0] } ?? 0 }
    }

    /// AVMA - SVMA of each module; nil if processes differ, or if it isn't known.
    private static func biases(of profile: NamedProfile) -> [UInt64?] {
        var biases = [UInt64?](repeating: nil, count: profile.modules.count)
        var differ = [Bool](repeating: false, count: profile.modules.count)
        for mapping in profile.spaces.joined() {
            let piece = profile.pieces[Int(mapping.piece)], module = Int(piece.module)
            let bias = piece.bias(at: mapping)
            if biases[module] ?? bias != bias { differ[module] = true }
            biases[module] = bias
        }
        return zip(biases, differ).map { $1 ? nil : $0 }
    }
}
