/// The functions of a Go program, from its `.gopclntab` section, which stays when the program is stripped: the Go runtime
/// needs it to unwind stacks itself.
///
/// The section has no specification. Its layouts are those that Go 1.2, 1.16, 1.18 and 1.20 introduced; the runtime and
/// debug/gosym of Go read them. Addresses have 8 bytes.
public struct GoFunctionTable {
    /// A function of the table.
    public struct Function: Equatable, Sendable {
        /// SVMAs. Padding behind the code belongs to it.
        public var addresses: Range<UInt64>
        /// The offset of its stack depths in the section; nil if it has none.
        var depths: Int?
        /// The offset of its name in the section, which a zero byte ends.
        public var name: Int
        /// Whether the runtime considers its frame the outermost one (Go 1.17 and later).
        var isMarkedOutermost: Bool
        /// Whether it sets the stack pointer to where its stack depths don't lead (Go 1.17 and later).
        var writesStackPointer: Bool
    }

    let section: GoSectionBytes
    /// The number of functions.
    public let count: Int
    /// The bytes of which addresses of instructions are multiples: 1 on x86-64, 4 on aarch64.
    let quantum: UInt64
    /// Whether the table itself states where the code begins, or has whole addresses.
    public let statesText: Bool
    private let layout: Layout
    /// What functions' addresses are relative to; 0 if they aren't relative.
    private let textStart: UInt64
    /// Offsets in the section.
    private let names, depths, functions: Int

    /// Reads the head of a section.
    ///
    /// - Parameters:
    ///   - bytes: the section, which must stay while this is used.
    ///   - quantum: 1 on x86-64, 4 on aarch64.
    ///   - text: the SVMA of the program's `.text` section, for tables that don't have it themselves.
    public init(_ bytes: UnsafeRawBufferPointer, quantum: UInt64, text: UInt64?) throws(GoTableError) {
        section = GoSectionBytes(bytes: bytes)
        let magic = try section.load(0, as: UInt32.self)
        guard let layout = Layout(rawValue: magic) else {
            throw GoTableError(offset: 0, problem: "the version of the table is not known")
        }
        guard try section.load(4, as: UInt16.self) == 0, try section.load(6, as: UInt8.self) == quantum,
            try section.load(7, as: UInt8.self) == 8
        else { throw GoTableError(offset: 4, problem: "the table is not one of this machine") }
        self.layout = layout
        self.quantum = quantum
        let number = try section.load(8, as: UInt64.self)
        switch layout {
        case .go2:
            (textStart, names, depths, functions) = (0, 0, 0, 16)
            statesText = true
        case .go16:
            textStart = 0
            statesText = true
            (names, depths) = (try section.offset(24), try section.offset(48))
            functions = try section.offset(56)
        case .go18, .go20:
            // May be 0.
            let stated = try section.load(24, as: UInt64.self)
            statesText = stated != 0
            guard let start = stated == 0 ? text : stated else {
                throw GoTableError(offset: 24, problem: "nothing tells where the code begins")
            }
            textStart = start
            (names, depths) = (try section.offset(32), try section.offset(56))
            functions = try section.offset(64)
        }
        // Each function has an entry, and the last one's end follows.
        guard number < UInt64((bytes.count - functions) / layout.entrySize) else {
            throw GoTableError(offset: 8, problem: "there are more functions than the section has room for")
        }
        count = Int(number)
    }

    /// Whether a function where Go programs begin is at an address: then the code begins where the caller said, if the table
    /// doesn't state it.
    public func hasEntryPoint(_ address: UInt64) throws(GoTableError) -> Bool {
        for index in 0..<count {
            let function = try function(index)
            guard function.addresses.lowerBound == address else { continue }
            return Self.entryPoints.contains { section.isString($0, at: function.name) }
        }
        return false
    }

    private static let entryPoints: [StaticString] = ["_rt0_amd64_linux", "_rt0_arm64_linux"]

    /// A function by its index, in the order of addresses.
    ///
    /// - Parameter index: below ``count``.
    public func function(_ index: Int) throws(GoTableError) -> Function {
        let entry = functions + index * layout.entrySize
        let (start, end) = (try address(entry), try address(entry + layout.entrySize))
        guard start < end else { throw GoTableError(offset: entry, problem: "functions' addresses do not increase") }
        let fields = try record(entry)
        guard
            try layout.hasRelativeAddresses
                ? relative(section.load(fields, as: UInt32.self), at: fields) == start
                : section.load(fields, as: UInt64.self) == start
        else { throw GoTableError(offset: fields, problem: "function begins elsewhere than the table says") }
        let pcsp = try section.load(fields + layout.depthsOffset, as: UInt32.self)
        let flags = try layout.flagsOffset.map { (offset) throws(GoTableError) in
            try section.load(fields + offset, as: UInt8.self)
        }
        return Function(
            addresses: start..<end, depths: pcsp == 0 ? nil : depths + Int(pcsp),
            name: names + Int(try section.load(fields + layout.nameOffset, as: UInt32.self)),
            isMarkedOutermost: (flags ?? 0) & 1 != 0, writesStackPointer: (flags ?? 0) & 2 != 0)
    }

    /// The offset of a function's record.
    private func record(_ entry: Int) throws(GoTableError) -> Int {
        let position = entry + layout.entrySize / 2
        let offset: UInt64 =
            layout.hasRelativeAddresses
            ? UInt64(try section.load(position, as: UInt32.self)) : try section.load(position, as: UInt64.self)
        guard offset <= UInt64(section.bytes.count) else {
            throw GoTableError(offset: position, problem: "offset is beyond the section")
        }
        // Of Go 1.2 from the start of the section, later from the start of the functions' entries.
        return (layout == .go2 ? 0 : functions) + Int(offset)
    }

    private func address(_ offset: Int) throws(GoTableError) -> UInt64 {
        guard layout.hasRelativeAddresses else { return try section.load(offset, as: UInt64.self) }
        return try relative(section.load(offset, as: UInt32.self), at: offset)
    }

    private func relative(_ distance: UInt32, at offset: Int) throws(GoTableError) -> UInt64 {
        let (address, overflow) = textStart.addingReportingOverflow(UInt64(distance))
        guard !overflow else { throw GoTableError(offset: offset, problem: "address exceeds 2^64") }
        return address
    }

    /// The layout of a table, by the number it begins with.
    private enum Layout: UInt32 {
        case go2 = 0xffff_fffb
        case go16 = 0xffff_fffa
        case go18 = 0xffff_fff0
        case go20 = 0xffff_fff1

        /// Whether a function's address has 4 bytes and is relative to the text's start.
        var hasRelativeAddresses: Bool { self == .go18 || self == .go20 }
        /// The bytes of a function's entry: its address and the offset of its record.
        var entrySize: Int { hasRelativeAddresses ? 8 : 16 }
        /// The size of the address that a record begins with.
        private var addressSize: Int { hasRelativeAddresses ? 4 : 8 }
        var nameOffset: Int { addressSize }
        /// Behind the name, the size of arguments, and what returns from deferred calls.
        var depthsOffset: Int { addressSize + 12 }
        /// Of the flags, behind the function's number among those that the runtime knows; nil before Go 1.16.
        var flagsOffset: Int? {
            switch self {
            case .go2: nil
            case .go16: 41
            case .go18: 37
            case .go20: 41
            }
        }
    }
}
