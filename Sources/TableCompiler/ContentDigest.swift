import ELF
import Files
import UnwindTable

/// SHA-256 of a table's whole input: images with the same digest have the same table, byte for byte.
/// docs/table-format.md, "Content digest".
enum ContentDigest {
    static func digest(of image: ELFImage, _ frames: FrameSources) throws(ELFError) -> [UInt8] {
        var hash = Digest()
        hash.add("cfic: content")
        hash.add(UInt64(image.machine.rawValue))
        hash.add(image.loadedSize)
        hash.add(try image.executableRanges().reduce(0) { $0 &+ UInt64($1.count) })
        let segments = image.executableSegments
        hash.add(UInt64(segments.count))
        for segment in segments {
            hash.add(segment.lowerBound)
            hash.add(UInt64(segment.count))
        }
        hash.add(UInt64(frames.debugSource.rawValue))
        hash.add(frames.debugSize)
        for section in frames.sections {
            hash.add(UInt64(section.kind.rawValue) << 8 | (section.endsAtTerminator ? 1 : 0))
            hash.add(section.address)
            hash.add(section.textAddress)
            hash.add(section.dataAddress)
            hash.add(section.bytes)
        }
        hash.add(frames.entry == nil ? 0 : 1)
        hash.add(frames.entry?.address ?? 0)
        hash.add(frames.entry?.limit ?? 0)
        try frames.checkAreWhole()
        return hash.finish()
    }
}

extension ELFImage {
    /// The key of the table that is made from this image alone, without a debug file: its build id and a content
    /// digest, or only the digest if it has no build id.
    ///
    /// Throws `ELFError` if call frame sections can't be read.
    package func tableKey() throws(ELFError) -> TableSource.Key {
        try ImageInput(self, search: nil).contentKey()
    }

    /// The build id, if a table can hold it: 1 to 48 bytes. Also nil if notes are malformed, because that shouldn't
    /// prevent a table.
    package func tableBuildID() -> [UInt8]? {
        guard let buildID = try? buildID(), (1...TableSource.Key.longestBuildID).contains(buildID.count) else {
            return nil
        }
        return buildID
    }
}
