import Files

extension ELFImage {
    /// `.gnu_debuglink`: the name of the separate debug file, without a directory, and the CRC-32 of its bytes;
    /// nil if there is no such section (GDB manual, "Debugging Information in Separate Files").
    ///
    /// Throws ``ELFError`` if the section is cut off, or if its name is empty or contains a slash.
    public func debugLink() throws(ELFError) -> (name: String, crc: UInt32)? {
        guard let section = try section(named: ".gnu_debuglink"), !section.hasNoBits else { return nil }
        let bytes = try bytes(of: section)
        guard let link = bytes.stringBytes(at: 0) else {
            throw malformed("the debug file's name has no terminator", section: section.name, offset: 0)
        }
        // The name with its zero byte, padded to four bytes; then the checksum.
        let checksumOffset = (link.count + 4) & ~3
        guard let checksum = bytes.integer(UInt32.self, at: checksumOffset, bigEndian: isBigEndian) else {
            throw malformed("there is no checksum", section: section.name, offset: UInt64(checksumOffset))
        }
        let linkName = String(path: link)
        guard !linkName.isEmpty, !linkName.contains("/") else {
            throw malformed("\"\(linkName)\" isn't the name of a file", section: section.name, offset: 0)
        }
        return (linkName, checksum)
    }
}
