import CUnwindTable
import CallFrameInfo
import UnwindTable

extension RowSample {
    /// The templates that save more bytes than they take, at most as many as a table may have: of those that training finds,
    /// the ones that are used when the sample's rows are replaced by the longest ones.
    consuming func templates(ruleCount: Int) -> [Template] {
        let trained = TemplateTraining(self).templates
        if trained.isEmpty { return [] }
        let trie = TemplateTrie(trained, ruleCount: ruleCount)
        var uses = [UInt32](repeating: 0, count: ruleCount + trained.count)
        let items = UnsafeMutablePointer<UInt32>.allocate(capacity: Int(CFIC_PAGE_UNITS))
        defer { items.deallocate() }
        uses.withUnsafeMutableBufferPointer { uses in
            // Not nil: rule 0 is always there.
            let uses = uses.baseAddress.unsafelyUnwrapped
            forEachStretch { rows in
                guard let first = rows.baseAddress else { return }
                _ = trie.parse(
                    first, count: rows.count, to: items, blockMask: UInt32(CFIC_BLOCK_UNITS) - 1, uses: uses
                ) { $0 }
            }
        }
        let limit = min(Int(CFIC_TEMPLATES_MAX), max(0, Int(CFIC_RULES_MAX) - ruleCount))
        let saved = trained.indices.map { Int(uses[ruleCount + $0]) * stride * (trained[$0].count - 1) }
        // An item takes at least two bytes, and a template what it takes.
        let useful = trained.indices.filter {
            saved[$0] * MemoryLayout<cfic_item>.size > MemoryLayout<cfic_template>.size
        }
        return useful.sorted {
            saved[$0] != saved[$1] ? saved[$0] > saved[$1] : Template.precedes(trained[$0], trained[$1])
        }.prefix(limit).map { trained[$0] }
    }
}
