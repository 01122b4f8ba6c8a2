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
            // DF_1_PIE
            if dynamic.contains(where: { $0.tag == DynamicTag.flags1 && $0.value & 0x0800_0000 != 0 }) { return true }
            if dynamic.contains(where: { $0.tag == DynamicTag.needed }) { return false }
            return startsStack(try code(at: entryAddress, limit: 16))
        default: return false
        }
    }

    /// Up to `limit` bytes at an SVMA, fewer if its executable segment has fewer; empty outside executable segments.
    package func code(at address: UInt64, limit: UInt64) throws(ELFError) -> [UInt8] {
        guard let range = executableSegments.first(where: { $0.contains(address) }) else { return [] }
        return try bytes(at: address..<address + min(limit, range.upperBound - address))
    }
}
