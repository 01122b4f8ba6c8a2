import ELF
import TableBuilder
import TableCompiler
import UnwindTable

extension FileStatistics {
    /// The statistics of a relocatable file, section by section. Each address is counted once, for its first FDE.
    init(relocatable image: ELFImage, machine: TableMachine) throws {
        path = image.name
        self.machine = machine.name
        let placement = try image.sectionPlacement()
        let sources = try FrameSources(of: image, search: nil, placement: placement)
        let lowered = LoweredFrames(sources.sections, sources: sources.kinds, machine: machine)
        try sources.checkAreWhole()
        withExtendedLifetime(sources) {}
        notes = sources.notes
        executableBytes = placement.ranges.reduce(0) { $0 + UInt64($1.count) }
        fdes = UInt64(lowered.frames.count)
        badFDEs = UInt64(lowered.malformed.count + lowered.frames.count { $0.error != nil })
        var counter = ShareCounter()
        for piece in lowered.pieces(within: placement.ranges) {
            coveredBytes += UInt64(piece.range.count)
            // Addresses as in the file: relative to the start of the section.
            let start = placement.ranges[piece.section].lowerBound
            lowered.forEachRow(of: piece) { range, rule in
                rows += 1
                let kind = RuleClass(rule, machine: machine)
                counter.add(kind, UInt64(range.count))
                if case .unsupported(let reason) = kind {
                    add(reason, range.lowerBound - start..<range.upperBound - start, nil)
                } else {
                    loweredBytes += UInt64(range.count)
                }
            }
        }
        rawRows = rows
        uncoveredBytes = executableBytes - min(executableBytes, coveredBytes)
        if executableBytes > 0 { coverage = min(1, Double(loweredBytes) / Double(executableBytes)) }
        shares = counter.shares
    }
}
