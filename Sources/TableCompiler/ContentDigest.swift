import ELF
import Files
import UnwindTable

/// SHA-256 of all that a table is made of: images with the same digest have the same table, byte for byte.
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
    /// The key of a table that is made of this image's own bytes, without a debug file: its build id and a digest of
    /// its content; without a build id the digest alone.
    public func tableKey() throws(ELFError) -> TableSource.Key {
        try ImageInput(self, search: nil).contentKey()
    }

    /// The build id, unless it is one that a table can't hold: empty, or longer than 48 bytes. Nil too if none is found
    /// in notes that are malformed: these are no reason to do without a table.
    public func tableBuildID() -> [UInt8]? {
        guard let buildID = try? buildID(), (1...TableSource.Key.longestBuildID).contains(buildID.count) else {
            return nil
        }
        return buildID
    }
}
