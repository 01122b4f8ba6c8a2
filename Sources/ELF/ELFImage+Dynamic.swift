import Files

/// `d_tag` of an entry of the dynamic section (gABI, "Dynamic Section"; glibc's elf.h).
enum DynamicTag {
    static let needed: UInt64 = 1
    static let jumpSize: UInt64 = 2
    static let stringTable: UInt64 = 5
    static let rela: UInt64 = 7
    static let relaSize: UInt64 = 8
    static let stringTableSize: UInt64 = 10
    static let initFunction: UInt64 = 12
    static let finiFunction: UInt64 = 13
    static let rpath: UInt64 = 15
    static let jumpRelocations: UInt64 = 23
    static let runpath: UInt64 = 29
    static let relrSize: UInt64 = 35
    static let relr: UInt64 = 36
    /// Arrays of functions, each with its size in bytes: DT_PREINIT_ARRAY, DT_INIT_ARRAY, DT_FINI_ARRAY.
    static let functionArrays: [(UInt64, UInt64)] = [(32, 33), (25, 27), (26, 28)]
    static let flags1: UInt64 = 0x6fff_fffb
}

/// The libraries that an image needs, and where it says that they are. Paths are as in the file: `$ORIGIN` is not
/// replaced.
package struct NeededLibraries: Equatable, Sendable {
    /// `DT_NEEDED`, in the order of the file. Those with a slash are paths.
    package var names: [String] = []
    /// The directories of `DT_RPATH`. Ignored if there is a `DT_RUNPATH`.
    package var rpath: [String] = []
    /// The directories of `DT_RUNPATH`; nil if there is none.
    package var runpath: [String]?
    /// `DF_1_NODEFLIB`: default directories are not searched.
    package var skipsDefaults = false

    package init(names: [String] = []) { self.names = names }
}

extension ELFImage {
    /// What the dynamic section says about other libraries. Empty if there is no dynamic section, and for 32-bit images,
    /// which get no table. Strings that lie outside the string table, or are longer than a path, are left out.
    ///
    /// Throws ``ELFError`` if the image can't be read.
    ///
    /// - Parameter limit: the most names.
    package func neededLibraries(limit: Int) throws(ELFError) -> NeededLibraries {
        let entries = try dynamicEntries()
        func value(_ tag: UInt64) -> UInt64? { entries.last { $0.tag == tag }?.value }
        var found = NeededLibraries()
        guard let table = value(DynamicTag.stringTable), let size = value(DynamicTag.stringTableSize) else {
            return found
        }
        for entry in entries where entry.tag == DynamicTag.needed && found.names.count < limit {
            if let name = try string(in: table, size, at: entry.value), !name.isEmpty { found.names.append(name) }
        }
        func directories(_ tag: UInt64) throws(ELFError) -> [String]? {
            guard let offset = value(tag), let list = try string(in: table, size, at: offset) else { return nil }
            return list.split(separator: ":").map(String.init)
        }
        found.runpath = try directories(DynamicTag.runpath)
        if found.runpath == nil { found.rpath = try directories(DynamicTag.rpath) ?? [] }
        found.skipsDefaults = (value(DynamicTag.flags1) ?? 0) & 0x800 != 0
        return found
    }

    /// The path of the program interpreter (`PT_INTERP`); nil if there is none.
    ///
    /// Throws ``ELFError`` if the image can't be read.
    package func interpreterPath() throws(ELFError) -> String? {
        guard let segment = segments.first(where: \.isInterpreter), segment.offset < size else { return nil }
        // Without its end, it isn't one: Linux refuses that, too.
        let count = min(segment.fileSize, size - segment.offset)
        guard count <= Self.pathLimit else { return nil }
        let bytes = try source.read(offset: segment.offset, count: Int(count), name: name)
        guard let end = bytes.firstIndex(of: 0), end > 0 else { return nil }
        return String(path: bytes[..<end])
    }

    /// PATH_MAX of linux/limits.h, with the 0 at the end.
    private static var pathLimit: UInt64 { 4096 }

    /// A string of the dynamic string table; nil if it isn't in it, or exceeds the limit.
    private func string(in table: UInt64, _ size: UInt64, at offset: UInt64) throws(ELFError) -> String? {
        let (address, overflow) = table.addingReportingOverflow(offset)
        guard offset < size, !overflow else { return nil }
        let end = address.addingReportingOverflow(min(size - offset, Self.pathLimit))
        guard !end.overflow else { return nil }
        var found: [UInt8] = []
        var next = address
        // Most are short, and the table may be large.
        while next < end.partialValue {
            let piece = try bytes(at: next..<min(next + 128, end.partialValue))
            if let zero = piece.firstIndex(of: 0) { return String(path: found + piece[..<zero]) }
            if piece.isEmpty { return nil }
            found += piece
            next += UInt64(piece.count)
        }
        return nil
    }

    /// The entries of `PT_DYNAMIC` up to DT_NULL, at most 4,096. Empty for 32-bit images, which get no table.
    func dynamicEntries() throws(ELFError) -> [(tag: UInt64, value: UInt64)] {
        guard is64Bit, let segment = segments.first(where: \.isDynamic), segment.offset < size else { return [] }
        let count = Int(min(segment.fileSize, size - segment.offset, 4096 * 16) / 16 * 16)
        let bytes = try source.read(offset: segment.offset, count: count, name: name)
        var entries: [(tag: UInt64, value: UInt64)] = []
        bytes.withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: bytes.count, by: 16) {
                guard let tag = bytes.integer(UInt64.self, at: offset, bigEndian: isBigEndian), tag != 0,
                    let value = bytes.integer(UInt64.self, at: offset + 8, bigEndian: isBigEndian)
                else { return }
                entries.append((tag, value))
            }
        }
        return entries
    }
}
