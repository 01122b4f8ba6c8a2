extension ELFImage {
    /// The SVMAs in `PT_LOAD` segments with `PF_X` whose bytes the file really has: sorted, disjoint, adjacent ranges
    /// merged. Empty for relocatable files. Never includes the address 2^64 − 1.
    public var executableSegments: [Range<UInt64>] {
        let ranges = segments.compactMap { segment -> Range<UInt64>? in
            guard segment.isLoad && segment.isExecutable else { return nil }
            return range(segment.virtualAddress, segment.fileBackedSize(imageSize: size))
        }
        return merged(ranges)
    }

    /// The bytes in a range of SVMAs; empty unless one segment has all of them.
    ///
    /// Throws ``ELFError`` if they can't be read.
    public func bytes(at range: Range<UInt64>) throws(ELFError) -> [UInt8] {
        let count = UInt64(range.count)
        let segment = segments.first { segment in
            guard segment.isLoad, segment.virtualAddress <= range.lowerBound else { return false }
            let backed = segment.fileBackedSize(imageSize: size)
            return count <= backed && range.lowerBound - segment.virtualAddress <= backed - count
        }
        guard let segment else { return [] }
        let offset = segment.offset + (range.lowerBound - segment.virtualAddress)
        return try source.read(offset: offset, count: Int(count), name: name)
    }

    /// The ranges of SVMAs that contain code: the `SHF_EXECINSTR` sections that have bytes, clipped to
    /// ``executableSegments``; or ``executableSegments`` itself if section headers are missing or broken. Sorted,
    /// disjoint, adjacent ranges merged. The sections of a relocatable file aren't clipped, and overlap at address 0.
    ///
    /// Throws ``ELFError`` if section headers are broken and there are no executable segments.
    public func executableRanges() throws(ELFError) -> [Range<UInt64>] {
        let segments = executableSegments
        let sections: [Section]
        do throws(ELFError) {
            sections = try self.sections()
        } catch {
            guard segments.isEmpty else { return segments }
            throw error
        }
        guard !sections.isEmpty else { return segments }
        let code = merged(
            sections.filter { $0.isExecutable && !$0.hasNoBits }.compactMap { range($0.address, $0.size) })
        return fileType == .relocatable ? code : intersection(code, segments)
    }

    /// Whether this file has only the debug information of another one (`objcopy --only-keep-debug`, `eu-strip -f`,
    /// dwz): its code is `SHT_NOBITS`, or it has no code and nothing to load, but debug or `SHT_NOBITS` sections.
    public func isSeparateDebugFile() throws(ELFError) -> Bool {
        let sections = try sections()
        let code = sections.filter(\.isExecutable)
        guard code.isEmpty else { return code.allSatisfy(\.hasNoBits) }
        let loadsSomething = sections.contains { $0.isAllocated && !$0.hasNoBits && !$0.isNote && $0.size > 0 }
        return !loadsSomething && sections.contains { $0.isDebugSection || ($0.isAllocated && $0.hasNoBits) }
    }

    /// `size` bytes from `start`, clipped to the address space; nil if empty.
    private func range(_ start: UInt64, _ size: UInt64) -> Range<UInt64>? {
        let end = is64Bit ? UInt64.max : 1 << 32
        guard start < end, size > 0 else { return nil }
        return start..<start + min(size, end - start)
    }
}

/// Sorted, disjoint, with adjacent ranges merged.
private func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        if let last = result.last, range.lowerBound <= last.upperBound {
            result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
        } else {
            result.append(range)
        }
    }
    return result
}

/// The intersection of two lists of sorted, disjoint ranges: sorted, disjoint.
private func intersection(_ first: [Range<UInt64>], _ second: [Range<UInt64>]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var i = 0
    var j = 0
    while i < first.count && j < second.count {
        let common = first[i].clamped(to: second[j])
        if !common.isEmpty { result.append(common) }
        if first[i].upperBound < second[j].upperBound { i += 1 } else { j += 1 }
    }
    return result
}
