import ELF

/// The types of an object, in its section `.BTF` (Documentation/bpf/btf.rst of the kernel). Read on demand.
///
/// We read it ourselves, because objects come from anywhere, and libbpf trusts clang's output: it follows offsets in
/// `.BTF.ext` unchecked. The format is small.
struct BTF: Sendable {
    enum Kind: UInt8, Sendable {
        case void = 0, integer, pointer, array, structure, union, enumeration, forward, typedef, volatile, const
        case restrict, function, prototype, variable, dataSection, float, declarationTag, typeTag, enumeration64

        var isModifier: Bool {
            switch self {
            case .typedef, .volatile, .const, .restrict, .typeTag: true
            default: false
            }
        }
    }

    struct Member {
        let name: String
        let type: Int
    }

    private let reader: SectionReader
    private let strings: Int
    private let stringsEnd: Int
    /// The size in bytes of the base's strings, which this one's strings follow: a module's BTF continues the kernel's.
    private let baseStrings: Int
    /// The offset of each type, by its number; void, number 0, has none.
    private let places: [Int]
    /// The tags of functions and their arguments, such as `arg:ctx`, by function.
    private(set) var tags: [Int: [Tag]] = [:]

    struct Tag: Sendable {
        let name: String
        /// Index of the argument; -1 for the function itself.
        let argument: Int
    }

    init(_ section: Section, of image: ELFImage) throws(ELFError) {
        try self.init(SectionReader(section, of: image))
    }

    /// - Parameter base: the BTF that a module's BTF continues. Only this one's own names can then be read.
    init(_ reader: SectionReader, base: BTF? = nil) throws(ELFError) {
        self.reader = reader
        baseStrings = base?.stringsSize ?? 0
        guard try reader.integer(UInt16.self, at: 0) == 0xeb9f else { throw reader.malformed("no BTF magic", at: 0) }
        guard try reader.integer(UInt8.self, at: 2) == 1 else { throw reader.unsupported("this version of BTF", at: 2) }
        let header = try reader.word(at: 4)
        let types = try header + reader.word(at: 8)
        let typesEnd = try types + reader.word(at: 12)
        strings = try header + reader.word(at: 16)
        stringsEnd = try strings + reader.word(at: 20)
        guard header >= 24, typesEnd <= reader.count, stringsEnd <= reader.count else {
            throw reader.malformed("types or strings lie outside the section", at: 4)
        }
        var places = [0]
        var place = types
        while place < typesEnd {
            let info = try reader.word(at: place + 4)
            guard let kind = Kind(rawValue: UInt8(info >> 24 & 0x1f)), kind != .void else {
                throw reader.unsupported("a type of kind \(info >> 24 & 0x1f)", at: place)
            }
            places.append(place)
            place += 12 + kind.trailingBytes(info & 0xffff)
        }
        guard place == typesEnd else { throw reader.malformed("the last type is cut off", at: places.last ?? 0) }
        self.places = places
        for type in places.indices.dropFirst() where kind(of: type) == .declarationTag {
            let argument = try reader.integer(Int32.self, at: places[type] + 12)
            tags[try reference(of: type), default: []].append(Tag(name: try name(of: type), argument: Int(argument)))
        }
    }

    /// The numbers of all types.
    var types: Range<Int> { 1..<places.count }

    func kind(of type: Int) -> Kind? {
        guard type != 0 else { return .void }
        guard places.indices.contains(type), let info = try? reader.word(at: places[type] + 4) else { return nil }
        return Kind(rawValue: UInt8(info >> 24 & 0x1f))
    }

    /// The size of all strings, in bytes.
    var stringsSize: Int { stringsEnd - strings }

    func string(at offset: Int, limit: Int = 512) throws(ELFError) -> String {
        guard offset >= baseStrings else { return "" }
        let offset = offset - baseStrings
        guard offset < stringsEnd - strings else { throw reader.malformed("a string lies outside", at: offset) }
        return try reader.string(at: strings + offset, limit: limit)
    }

    func name(of type: Int) throws(ELFError) -> String { try string(at: nameOffset(of: type)) }

    /// The offset of the type's name in the strings; 0 if it has none.
    private func nameOffset(of type: Int) throws(ELFError) -> Int { try reader.word(at: place(of: type)) }

    /// Types by a hash of their names: a kernel has a hundred thousand types, of which only a few are looked up.
    func typesByHash() -> [UInt64: [Int]] {
        var found: [UInt64: [Int]] = [:]
        reader.bytes.withUnsafeBytes { bytes in
            for type in types {
                // Types lie within the bytes, as `init` checked.
                let name = bytes.loadUnaligned(fromByteOffset: places[type], as: UInt32.self)
                let start = strings - baseStrings + Int(UInt32(littleEndian: name))
                guard name != 0, start >= strings, start < stringsEnd else { continue }
                found[Self.hash(bytes[start..<stringsEnd]), default: []].append(type)
            }
        }
        return found
    }

    /// FNV-1a of the bytes before the first zero.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes {
            if byte == 0 { break }
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return hash
    }

    /// The number of members, arguments or values; for a function, its linkage.
    func count(of type: Int) throws(ELFError) -> Int { try reader.word(at: place(of: type) + 4) & 0xffff }

    /// The field `size` or `type`, which share the same bytes.
    func reference(of type: Int) throws(ELFError) -> Int { try reader.word(at: place(of: type) + 8) }

    /// The type without typedefs, qualifiers and tags; nil if they form a cycle or lead to no type.
    func plain(_ type: Int) throws(ELFError) -> Int? {
        var type = type
        for _ in 0..<64 {
            guard let kind = kind(of: type) else { return nil }
            guard kind.isModifier else { return type }
            type = try reference(of: type)
        }
        return nil
    }

    /// The members of a structure, the arguments of a prototype or the variables of a section.
    func members(of type: Int) throws(ELFError) -> [Member] {
        let place = try place(of: type)
        var members: [Member] = []
        for index in 0..<(try count(of: type)) {
            switch kind(of: type) {
            case .structure, .union: members.append(try member(at: place + 12 + 12 * index))
            case .prototype: members.append(try member(at: place + 12 + 8 * index))
            case .dataSection:
                let variable = try reader.word(at: place + 12 + 12 * index)
                members.append(Member(name: try name(of: variable), type: variable))
            default: return []
            }
        }
        return members
    }

    private func member(at entry: Int) throws(ELFError) -> Member {
        Member(name: try string(at: reader.word(at: entry)), type: try reader.word(at: entry + 4))
    }

    /// The name of an enumeration's value; nil if there is no such value.
    func enumerator(_ index: Int, of type: Int) throws(ELFError) -> String? {
        let entrySize = kind(of: type) == .enumeration ? 8 : kind(of: type) == .enumeration64 ? 12 : 0
        guard entrySize != 0, index >= 0, try index < count(of: type) else { return nil }
        return try string(at: reader.word(at: place(of: type) + 12 + entrySize * index))
    }

    /// Names and values of an enumeration; values are truncated to 64 bits, ignoring their sign.
    func enumerators(of type: Int) throws(ELFError) -> [(name: String, value: Int)] {
        let isWide = kind(of: type) == .enumeration64
        guard isWide || kind(of: type) == .enumeration else { return [] }
        var entries: [(name: String, value: Int)] = []
        for index in 0..<(try count(of: type)) {
            let entry = try place(of: type) + 12 + (isWide ? 12 : 8) * index
            let low = try reader.word(at: entry + 4)
            let high = isWide ? try reader.word(at: entry + 8) : 0
            entries.append((try string(at: reader.word(at: entry)), high << 32 | low))
        }
        return entries
    }

    /// The number of elements and the element type of an array.
    func array(_ type: Int) throws(ELFError) -> (count: Int, element: Int) {
        let place = try place(of: type)
        return (try reader.word(at: place + 20), try reader.word(at: place + 12))
    }

    /// In bytes; nil for types without a size: void, functions, structures that are only declared.
    func size(of type: Int) throws(ELFError) -> Int? {
        var factor = 1
        var type = type
        for _ in 0..<64 {
            guard let plain = try plain(type), let kind = kind(of: plain) else { return nil }
            switch kind {
            case .integer, .structure, .union, .enumeration, .enumeration64, .float:
                return factor.multipliedReportingOverflow(by: try reference(of: plain)).partialValue
            case .pointer: return factor.multipliedReportingOverflow(by: 8).partialValue
            case .array:
                let array = try array(plain)
                factor = factor.multipliedReportingOverflow(by: array.count).partialValue
                type = array.element
            default: return nil
            }
        }
        return nil
    }

    private func place(of type: Int) throws(ELFError) -> Int {
        guard type > 0, places.indices.contains(type) else { throw reader.malformed("there is no type \(type)", at: 0) }
        return places[type]
    }
}

extension BTF.Kind {
    /// Bytes after the three words that every type has.
    fileprivate func trailingBytes(_ count: Int) -> Int {
        switch self {
        case .integer, .variable, .declarationTag: 4
        case .array: 12
        case .structure, .union, .dataSection, .enumeration64: 12 * count
        case .enumeration, .prototype: 8 * count
        default: 0
        }
    }
}
