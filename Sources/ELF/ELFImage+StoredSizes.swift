extension ELFImage {
    /// Size of `.eh_frame_hdr` in the file, in bytes: of `PT_GNU_EH_FRAME`, through which programs find it, else of the
    /// section; 0 if there is neither.
    package var ehFrameHeaderBytes: UInt64 {
        if let segment = segments.first(where: \.isEHFrameHeader) {
            return segment.offset < size ? min(segment.fileSize, size - segment.offset) : 0
        }
        return storedBytes(of: [".eh_frame_hdr"]) ?? 0
    }

    /// Size of the sections with one of these names in the file, in bytes: compressed if they are. Nil if there are
    /// none, or the section headers are broken.
    package func storedBytes(of names: [String]) -> UInt64? {
        guard let sections = try? sections() else { return nil }
        let named = sections.filter { names.contains($0.name) && !$0.hasNoBits }
        if named.isEmpty { return nil }
        return named.reduce(0) { $0 &+ ($1.offset < size ? min($1.size, size - $1.offset) : 0) }
    }
}
