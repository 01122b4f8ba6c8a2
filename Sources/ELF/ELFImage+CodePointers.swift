import Files
import Search

/// Where the loader, or code that it runs, finds addresses of functions.
extension ELFImage {
    /// SVMAs of the functions that the loader calls: `DT_INIT`, `DT_FINI`, and the elements of the arrays of such functions
    /// as far as they are in the file. Only those in executable segments.
    ///
    /// Throws ``ELFError`` if the image can't be read.
    package func loaderFunctions() throws(ELFError) -> [UInt64] {
        let entries = try dynamicEntries()
        func value(_ tag: UInt64) -> UInt64? { entries.last { $0.tag == tag }?.value }
        var found = [DynamicTag.initFunction, DynamicTag.finiFunction].compactMap(value)
        for (array, size) in DynamicTag.functionArrays {
            guard let start = value(array), let size = value(size) else { continue }
            found += try words(at: start, size: size)
        }
        if entries.isEmpty {
            // A static executable: its own start-up code calls them.
            for section in try sections()
            where Self.arrayNames.contains(section.name) && !section.hasNoBits && found.count < Self.wordLimit {
                found += try words(at: section.address, size: section.size)
            }
        }
        let code = executableSegments
        return found.filter { address in
            code.lastIndex(atMost: address, by: \.lowerBound).map { code[$0].contains(address) } ?? false
        }
    }

    /// Of an array; further elements are ignored. Large programs have thousands.
    private static let wordLimit = 65536
    private static let arrayNames: Set = [".preinit_array", ".init_array", ".fini_array", ".ctors", ".dtors"]

    private func words(at start: UInt64, size: UInt64) throws(ELFError) -> [UInt64] {
        let (end, overflow) = start.addingReportingOverflow(min(size, 8 * UInt64(Self.wordLimit)))
        guard !overflow else { return [] }
        let bytes = try bytes(at: start..<end)
        return bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).compactMap { bytes.integer(UInt64.self, at: 8 * $0, bigEndian: isBigEndian) }
        }
    }

    /// Calls `body` with each SVMA that a relocation of the dynamic section puts, with the image's bias, into memory:
    /// `R_*_RELATIVE`, `R_*_IRELATIVE` with the address of the function that returns it, and `DT_RELR`. Little-endian x86-64 and
    /// aarch64 only.
    ///
    /// Throws ``ELFError`` if the image can't be read.
    package func forEachRelocatedAddress(_ body: (UInt64) -> Void) throws(ELFError) {
        try forEachAddend(body)
        try forEachPackedRelocation { place throws(ELFError) in
            let (end, overflow) = place.addingReportingOverflow(8)
            guard !overflow else { return }
            let word = try bytes(at: place..<end)
            if let address = word.withUnsafeBytes({ $0.integer(UInt64.self, at: 0, bigEndian: false) }) {
                body(address)
            }
        }
    }

    /// Calls `body` with the SVMA of each word that `DT_RELR` relocates (gABI, "Relative Relocation Table").
    private func forEachPackedRelocation(_ body: (UInt64) throws(ELFError) -> Void) throws(ELFError) {
        let entries = try dynamicEntries()
        func value(_ tag: UInt64) -> UInt64? { entries.last { $0.tag == tag }?.value }
        guard is64Bit, !isBigEndian, let start = value(DynamicTag.relr), let size = value(DynamicTag.relrSize),
            size <= self.size,
            // Each word is looked for in all of them.
            segments.count <= 64
        else { return }
        let (end, overflow) = start.addingReportingOverflow(size)
        guard !overflow else { return }
        let table = try bytes(at: start..<end)
        var next: UInt64 = 0
        // Each word of the file is relocated once at most; a bitmap of a hostile file may say otherwise.
        var words = self.size / 8
        for index in 0..<table.count / 8 {
            let entry = table.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
            if entry & 1 == 0 {
                try body(entry)
                next = entry &+ 8
                words &-= 1
                if words == 0 { return }
                continue
            }
            // Bits 1 to 63 stand for the 63 words from `next` on.
            for bit in 1..<64 as Range<UInt64> where entry >> bit & 1 != 0 {
                try body(next &+ 8 &* (bit - 1))
                words &-= 1
                if words == 0 { return }
            }
            next = next &+ 63 * 8
        }
    }

    private func forEachAddend(_ body: (UInt64) -> Void) throws(ELFError) {
        guard is64Bit, !isBigEndian else { return }
        let types: [UInt32] = machine == .aarch64 ? [1027, 1032] : [8, 37]
        let entries = try dynamicEntries()
        func value(_ tag: UInt64) -> UInt64? { entries.last { $0.tag == tag }?.value }
        for (table, size) in [
            (DynamicTag.rela, DynamicTag.relaSize), (DynamicTag.jumpRelocations, DynamicTag.jumpSize),
        ] {
            guard let start = value(table), let size = value(size) else { continue }
            let (end, overflow) = start.addingReportingOverflow(size)
            guard !overflow, size <= self.size else { continue }
            try bytes(at: start..<end).withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count / 24 * 24, by: 24) {
                    let type = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self)
                    if types.contains(type) {
                        body(bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
                    }
                }
            }
        }
    }
}
