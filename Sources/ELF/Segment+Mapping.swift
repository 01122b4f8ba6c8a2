extension Collection<Segment> {
    /// AVMA − SVMA of a mapping of the file: what turns the addresses of the segment that it is of into its own.
    ///
    /// The kernel maps whole pages, so that a page of the file may be mapped for each of two segments that share it,
    /// and a mapping's first byte may be before or behind its segment's. The segment is the one whose pages these are,
    /// else one that has all of them, else (mappings are joined where one goes on where the other ends) one that has
    /// the first.
    ///
    /// - Parameters:
    ///   - mapped: AVMAs.
    ///   - offset: in the file, of the first byte.
    ///   - pageSize: of the kernel that mapped it, in bytes.
    /// - Returns: nil if no segment is there, or several that would be at different addresses.
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
    /// The bytes of the file that are mapped for it.
    fileprivate func pages(of size: UInt64) -> Range<UInt64> {
        let first = offset & ~(size - 1)
        // What is stated may be anything.
        let end = offset.addingReportingOverflow(Swift.max(fileSize, 1))
        let limit = (end.overflow ? .max : end.partialValue).addingReportingOverflow(size - 1)
        return first..<Swift.max(limit.overflow ? .max : limit.partialValue & ~(size - 1), first)
    }
}
