extension ELFImage {
    /// Whether the kernel, or a program interpreter, may start a program at `e_entry`. Older linkers set it in shared
    /// libraries as well, without meaning.
    ///
    /// Throws ``ELFError`` if the image can't be read.
    ///
    /// - Parameter startsStack: whether code that starts with these bytes is the first of a new stack. Called only for
    ///   images that have no interpreter and need no library, where nothing else decides it.
    package func startsProgram(_ startsStack: ([UInt8]) -> Bool) throws(ELFError) -> Bool {
        guard entryAddress != 0, executableSegments.contains(where: { $0.contains(entryAddress) }) else { return false }
        switch fileType {
        case .executable: return true
        case .sharedObject:
            if segments.contains(where: \.isInterpreter) { return true }
            let dynamic = try dynamicEntries()
            // DF_1_PIE of DT_FLAGS_1
            if dynamic.contains(where: { $0.tag == 0x6fff_fffb && $0.value & 0x0800_0000 != 0 }) { return true }
            // DT_NEEDED
            if dynamic.contains(where: { $0.tag == 1 }) { return false }
            return startsStack(try code(at: entryAddress, limit: 16))
        default: return false
        }
    }

    /// Up to `limit` bytes at an SVMA, fewer if its executable segment has fewer; empty outside executable segments.
    package func code(at address: UInt64, limit: UInt64) throws(ELFError) -> [UInt8] {
        guard let range = executableSegments.first(where: { $0.contains(address) }) else { return [] }
        return try bytes(at: address..<address + min(limit, range.upperBound - address))
    }

    /// The entries of `PT_DYNAMIC` up to DT_NULL, at most 4,096. Empty for 32-bit images, which get no table.
    private func dynamicEntries() throws(ELFError) -> [(tag: UInt64, value: UInt64)] {
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
