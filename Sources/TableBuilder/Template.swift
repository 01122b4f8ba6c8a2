import CUnwindTable

/// Two to eight rows of one block, which code repeats over and over: docs/table-format.md, "Templates".
struct Template: BitwiseCopyable {
    /// The number of rows.
    private(set) var count = 0
    /// Units after the first row. Those of rows that aren't there are the last row's.
    private(set) var offsets = SIMD8<UInt8>()
    /// Rule numbers, likewise.
    private(set) var rules = SIMD8<UInt8>()

    /// The most rows of a template.
    static let longest = Int(CFIC_TEMPLATE_ROWS)

    /// One row, which isn't a template yet.
    init(rule: UInt8) {
        append(offset: 0, rule: rule)
    }

    /// Two templates, or rows, of which the second begins `gap` units after the first.
    init(_ first: Template, gap: UInt8, _ second: Template) {
        self = first
        for row in 0..<second.count { append(offset: gap &+ second.offsets[row], rule: second.rules[row]) }
    }

    private mutating func append(offset: UInt8, rule: UInt8) {
        for row in count..<Self.longest {
            offsets[row] = offset
            rules[row] = rule
        }
        count += 1
    }

    /// The units from the first row to the last one.
    var reach: UInt8 { offsets[count - 1] }

    /// As in a table.
    var fields: cfic_template {
        var fields = cfic_template()
        withUnsafeMutableBytes(of: &fields) {
            $0.storeBytes(of: offsets, as: SIMD8<UInt8>.self)
            $0.storeBytes(of: rules, toByteOffset: Self.longest, as: SIMD8<UInt8>.self)
        }
        return fields
    }

    /// A total order of templates' contents.
    static func precedes(_ left: Template, _ right: Template) -> Bool {
        if left.count != right.count { return left.count < right.count }
        for row in 0..<left.count where left.offsets[row] != right.offsets[row] {
            return left.offsets[row] < right.offsets[row]
        }
        for row in 0..<left.count where left.rules[row] != right.rules[row] {
            return left.rules[row] < right.rules[row]
        }
        return false
    }
}
