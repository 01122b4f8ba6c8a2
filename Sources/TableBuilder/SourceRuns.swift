import CUnwindTable
import CallFrameInfo
import UnwindTable

extension ArchitectureBuilder {
    /// The runs of addresses whose rules don't come from `.eh_frame`. Code without a rule, and padding that got the preceding
    /// one, doesn't end a run.
    func sourceRuns() -> [cfic_source] {
        guard sources.contains(where: { $0 != .ehFrame }) else { return [] }
        var runs: [cfic_source] = []
        var current: (addresses: Range<UInt64>, source: RuleSource)?
        for position in 0..<index.count {
            let span = index.span(at: position)
            let source = sources[index.cies[span.cie].section]
            if let run = current, run.source == source {
                current?.addresses = run.addresses.lowerBound..<span.limit
                continue
            }
            if let current { append(current.addresses, current.source, to: &runs) }
            current = source == .ehFrame ? nil : (span.start..<span.limit, source)
        }
        if let current { append(current.addresses, current.source, to: &runs) }
        return runs
    }

    /// A rule holds for whole pc units: a run begins with the first one that begins in it.
    private func append(_ addresses: Range<UInt64>, _ source: RuleSource, to runs: inout [cfic_source]) {
        let unit = UInt64(1) << UInt64(A.pcShift)
        var start = addresses.lowerBound.roundedUp(toMultipleOf: unit)
        let end = addresses.upperBound.roundedUp(toMultipleOf: unit)
        while start < end {
            let size = min((end - start) / unit, cfic_source.sizeLimit)
            runs.append(cfic_source(start: start, size: size, source))
            start += size * unit
        }
    }
}
