import CUnwindTable
import Search

/// What rules are made from.
public enum RuleSource: UInt8, Sendable, CaseIterable {
    /// `.eh_frame`, which most rules come from. Tables don't list its addresses.
    case ehFrame
    /// `.debug_frame`, of the image or of its debug file.
    case debugFrame
    /// `.gopclntab`, which describes Go functions.
    case goFunctionTable
    /// The instructions themselves, where no call frame information covers them.
    case inferred

    /// As in reports: `.eh_frame`, `.debug_frame`, `.gopclntab` or `inferred`.
    public var name: String {
        switch self {
        case .ehFrame: ".eh_frame"
        case .debugFrame: ".debug_frame"
        case .goFunctionTable: ".gopclntab"
        case .inferred: "inferred"
        }
    }
}

extension TableView {
    /// The addresses whose rules don't come from `.eh_frame`: ascending, disjoint ranges of SVMAs.
    public var sourceRanges: some RandomAccessCollection<(addresses: Range<UInt64>, source: RuleSource)> {
        let shift = UInt64(header.fields.pc_shift)
        return sources.lazy.map { fields in
            let start = fields.start
            // Proved: the kind is known, and the end is within the address space.
            let source = RuleSource(rawValue: fields.kind).unsafelyUnwrapped
            return (start..<start + fields.size << shift, source)
        }
    }

    /// What the rule in force at an address (SVMA) comes from. Without meaning where that is rule 0.
    public func source(at address: UInt64) -> RuleSource {
        let ranges = sourceRanges
        guard let index = sources.lastIndex(atMost: address, by: \.start) else { return .ehFrame }
        let range = ranges[ranges.index(ranges.startIndex, offsetBy: index)]
        return range.addresses.contains(address) ? range.source : .ehFrame
    }
}

extension cfic_source {
    /// The largest number of pc units of a run.
    package static var sizeLimit: UInt64 { UInt64(UInt32.max >> UInt32(CFIC_SOURCE_KIND_BITS)) }

    /// - Parameters:
    ///   - start: SVMA.
    ///   - size: pc units, 1 to ``sizeLimit``.
    ///   - source: not `.ehFrame`.
    package init(start: UInt64, size: UInt64, _ source: RuleSource) {
        self.init(
            start_low: UInt32(truncatingIfNeeded: start), start_high: UInt32(truncatingIfNeeded: start >> 32),
            size_and_kind: UInt32(truncatingIfNeeded: size) << UInt32(CFIC_SOURCE_KIND_BITS) | UInt32(source.rawValue))
    }

    /// SVMA.
    var start: UInt64 { UInt64(start_low) | UInt64(start_high) << 32 }
    /// In pc units.
    var size: UInt64 { UInt64(size_and_kind >> UInt32(CFIC_SOURCE_KIND_BITS)) }
    /// `enum cfic_source_kind`
    var kind: UInt8 { UInt8(size_and_kind & (1 << UInt32(CFIC_SOURCE_KIND_BITS) - 1)) }
}

extension TableVerifier {
    /// Proves that sources are known, and that their runs ascend, don't overlap and are within the address space.
    static func checkSources(_ view: TableView) throws(TableDefect) {
        func defect(_ number: Int, _ problem: String) -> TableDefect {
            TableDefect(section: "sources", offset: view.offset(of: CFIC_SECTION_SOURCES, number), problem: problem)
        }
        let unit = UInt64(1) << UInt64(view.header.fields.pc_shift)
        var end: UInt64 = 0
        for (number, source) in view.sources.enumerated() {
            guard source.kind != 0, source.kind < CFIC_SOURCE_KIND_COUNT.rawValue else {
                throw defect(number, "kind \(source.kind) is not known")
            }
            guard source.size > 0 else { throw defect(number, "run is empty") }
            guard source.start % unit == 0 else { throw defect(number, "start is not a multiple of the pc unit") }
            guard source.start >= end else { throw defect(number, "run starts below the end of the previous one") }
            let (limit, overflow) = source.start.addingReportingOverflow(source.size * unit)
            guard !overflow else { throw defect(number, "run extends beyond the address space") }
            end = limit
        }
    }
}
