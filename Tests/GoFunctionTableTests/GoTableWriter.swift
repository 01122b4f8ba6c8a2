import UnwindTable

/// Writes `.gopclntab` sections.
struct GoTableWriter {
    /// Versions of Go that introduced a layout.
    enum Layout: UInt32, CaseIterable {
        case go2 = 0xffff_fffb
        case go16 = 0xffff_fffa
        case go18 = 0xffff_fff0
        case go20 = 0xffff_fff1

        var isRelative: Bool { self == .go18 || self == .go20 }
        var recordSize: Int { [.go2: 40, .go16: 44, .go18: 40, .go20: 44][self]! }
        var flagsOffset: Int? { [.go16: 41, .go18: 37, .go20: 41][self] }
    }

    struct Function {
        var start: UInt64
        var name: String
        /// Depths and the units for which they hold; nil for a function without any.
        var depths: [(depth: Int, units: Int)]?
        var flags: UInt8 = 0
    }

    var layout = Layout.go18
    var machine = TableMachine.x86_64
    var text: UInt64 = 0x401000
    /// The end of the last function.
    var end: UInt64 = 0x402000
    var statesText = true

    /// The section, and where its parts are.
    struct Section {
        var bytes: [UInt8]
        var names = 0, depths = 0, functions = 0

        mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
            withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
        }
    }

    func section(_ functions: [Function]) -> Section {
        var names: [UInt8] = [0], nameOffsets: [Int] = []
        var depths: [UInt8] = [0], depthOffsets: [Int] = []
        for function in functions {
            nameOffsets.append(names.count)
            names += Array(function.name.utf8) + [0]
            depthOffsets.append(function.depths == nil ? 0 : depths.count)
            depths += Self.encoded(function.depths ?? [])
        }
        let head = layout == .go2 ? 16 : layout == .go16 ? 64 : 72
        let entrySize = layout.isRelative ? 8 : 16
        let entries = functions.count * entrySize + entrySize / 2
        // Of Go 1.2 the entries follow the head, and all offsets are those in the section.
        let isOld = layout == .go2
        let functionsAt = isOld ? head : head + names.count + depths.count
        let namesAt = isOld ? head + entries : head
        var section = Section(
            bytes: [], names: isOld ? 0 : namesAt, depths: isOld ? 0 : namesAt + names.count, functions: functionsAt)
        let depthsAt = namesAt + names.count
        let recordsAt = isOld ? depthsAt + depths.count : functionsAt + entries
        section.bytes = [UInt8](repeating: 0, count: recordsAt + functions.count * layout.recordSize)
        section.store(layout.rawValue, at: 0)
        section.store(UInt8(machine == .aarch64 ? 4 : 1), at: 6)
        section.store(UInt8(8), at: 7)
        section.store(UInt64(functions.count), at: 8)
        if layout == .go16 {
            for (offset, value) in [(24, namesAt), (48, depthsAt), (56, functionsAt)] {
                section.store(UInt64(value), at: offset)
            }
        } else if layout.isRelative {
            section.store(statesText ? text : 0, at: 24)
            for (offset, value) in [(32, namesAt), (56, depthsAt), (64, functionsAt)] {
                section.store(UInt64(value), at: offset)
            }
        }
        section.bytes.replaceSubrange(namesAt..<namesAt + names.count, with: names)
        section.bytes.replaceSubrange(depthsAt..<depthsAt + depths.count, with: depths)
        for (index, function) in functions.enumerated() {
            let record = recordsAt + index * layout.recordSize
            let entry = functionsAt + index * entrySize
            let place = isOld ? record : record - functionsAt
            let name = nameOffsets[index] + (isOld ? namesAt : 0)
            let depth = depthOffsets[index] == 0 ? 0 : depthOffsets[index] + (isOld ? depthsAt : 0)
            if layout.isRelative {
                section.store(UInt32(function.start - text), at: entry)
                section.store(UInt32(place), at: entry + 4)
                section.store(UInt32(function.start - text), at: record)
            } else {
                section.store(function.start, at: entry)
                section.store(UInt64(place), at: entry + 8)
                section.store(function.start, at: record)
            }
            let fields = record + (layout.isRelative ? 4 : 8)
            section.store(UInt32(name), at: fields)
            section.store(UInt32(depth), at: fields + 12)
            if let flags = layout.flagsOffset { section.store(function.flags, at: record + flags) }
        }
        let last = functionsAt + functions.count * entrySize
        if layout.isRelative { section.store(UInt32(end - text), at: last) } else { section.store(end, at: last) }
        return section
    }

    /// Pairs of changes and units, as the section has them.
    static func encoded(_ depths: [(depth: Int, units: Int)]) -> [UInt8] {
        var before = -1
        var bytes: [UInt8] = []
        for (depth, units) in depths {
            let change = depth - before
            bytes += leb(UInt64(bitPattern: Int64(change << 1 ^ change >> 63))) + leb(UInt64(units))
            before = depth
        }
        return bytes + [0]
    }

    static func leb(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
