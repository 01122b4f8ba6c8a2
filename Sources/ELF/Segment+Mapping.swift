extension Collection<Segment> {
    /// The bias of a mapping of the file, AVMA − SVMA.
    ///
    /// The kernel maps whole memory pages, so a page that two segments share may be mapped once for each, and a mapping
    /// may start before or after its segment's first byte. The mapping belongs to the segment that has exactly these
    /// pages, else to one that has all of them, else to one that has the first (the kernel joins adjacent mappings).
    ///
    /// - Parameters:
    ///   - mapped: AVMAs.
    ///   - offset: of the first byte in the file, in bytes.
    ///   - pageSize: the memory page size of the kernel that created the mapping, in bytes.
    /// - Returns: nil if no segment fits, or if several fit with different biases.
    package func bias(of mapped: Range<UInt64>, at offset: UInt64, pageSize: UInt64) -> UInt64? {
        let end = offset.addingReportingOverflow(mapped.upperBound - mapped.lowerBound)
        guard !end.overflow else { return nil }
        let here = filter { $0.pages(of: pageSize).contains(offset) }
        let all = here.filter { $0.pages(of: pageSize).upperBound >= end.partialValue }
        let own = all.filter { $0.pages(of: pageSize) == offset..<end.partialValue }
        let biases = [own, all, here].first { !$0.isEmpty }?.map {
            mapped.lowerBound &- ($0.virtualAddress &- $0.offset &+ offset)
        }
        guard let bias = biases?.first, biases?.allSatisfy({ $0 == bias }) == true else { return nil }
        return bias
    }
}

extension Segment {
    /// The bytes of the file that the kernel maps for the segment.
    fileprivate func pages(of size: UInt64) -> Range<UInt64> {
        let first = offset & ~(size - 1)
        // Program headers may state any number, so sums may overflow.
        let end = offset.addingReportingOverflow(Swift.max(fileSize, 1))
        let limit = (end.overflow ? .max : end.partialValue).addingReportingOverflow(size - 1)
        return first..<Swift.max(limit.overflow ? .max : limit.partialValue & ~(size - 1), first)
    }
}
