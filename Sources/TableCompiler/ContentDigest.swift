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
        if let gaps = frames.gaps { try hash.add(gaps, of: image) }
        try frames.checkAreWhole()
        return hash.finish()
    }
}

extension Digest {
    /// Adds everything that rules for code without call frame information may be made from.
    fileprivate mutating func add(_ gaps: CodeGaps, of image: ELFImage) throws(ELFError) {
        add(UInt64(gaps.ranges.count))
        for range in gaps.ranges {
            add(range.lowerBound)
            add(UInt64(range.count))
        }
        add(UInt64(gaps.linkageTables.count))
        for table in gaps.linkageTables {
            add(table.address)
            add(try image.bytes(of: table))
        }
        guard !gaps.ranges.isEmpty, image.machine == .x86_64 else { return }
        if gaps.isStartUpCode {
            let starts = try gaps.startUpFunctions(of: image)
            add(UInt64(starts.count))
            for start in starts { add(start) }
            for piece in try gaps.code(of: image) { add(piece.bytes) }
            return
        }
        let sections = try image.sections().filter { $0.isAllocated }
        add(UInt64(sections.count))
        for section in sections {
            add(section.name)
            add(UInt64(section.type))
            add(section.flags)
            add(section.address)
            add(section.size)
            if !section.hasNoBits { add(try image.bytes(of: section)) }
        }
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
