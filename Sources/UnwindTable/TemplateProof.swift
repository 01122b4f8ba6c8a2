import CUnwindTable

/// Proves the templates and the numbering of symbols.
struct TemplateProof {
    private let view: TableView

    init(_ view: TableView) { self.view = view }

    /// - Returns: how far the rows of each symbol reach.
    func reaches() throws(TableDefect) -> SymbolReaches {
        let templates = view.templates
        let (ruleCount, first) = (view.rules.count, Int(view.header.fields.first_template))
        guard templates.count <= CFIC_TEMPLATES_MAX else {
            throw defect(Int(CFIC_TEMPLATES_MAX), "there are more than 256 templates")
        }
        guard first <= ruleCount else {
            throw TableVerifier.defect("first template's symbol is above the number of rules", at: 28)
        }
        guard ruleCount + templates.count <= CFIC_RULES_MAX else {
            throw defect(0, "there are more than 65,536 symbols")
        }
        for number in templates.indices {
            if let problem = problem(of: templates[number]) { throw defect(number, "template \(number): \(problem)") }
        }
        return SymbolReaches(view)
    }

    private func defect(_ number: Int, _ problem: String) -> TableDefect {
        TableDefect(section: "templates", offset: view.offset(of: CFIC_SECTION_TEMPLATES, number), problem: problem)
    }

    private func problem(of template: cfic_template) -> String? {
        let rows = 0..<Int(CFIC_TEMPLATE_ROWS)
        guard template.offset(0) == 0 else { return "first row is not at offset 0" }
        guard rows.allSatisfy({ template.rule($0) < view.rules.count }) else {
            return "rule number is not below the number of rules"
        }
        let rowCount = template.rowCount
        guard rowCount > 1 else { return "has one row" }
        for row in 1..<rowCount {
            guard template.offset(row) > template.offset(row - 1) else { return "offsets do not increase" }
            guard template.rule(row) != template.rule(row - 1) else { return "adjacent rows have the same rule" }
        }
        guard (rowCount..<rows.upperBound).allSatisfy({ template.isUnused($0) }) else {
            return "unused row does not repeat the last row"
        }
        return nil
    }
}

extension cfic_template {
    /// Byte `row` is the offset of a row.
    private var offsets: UInt64 { unsafeBitCast(self, to: (UInt64, UInt64).self).0 }
    /// Byte `row` is the rule of a row.
    private var rules: UInt64 { unsafeBitCast(self, to: (UInt64, UInt64).self).1 }

    /// The distance of a row, 0 to 7, from the template's first one, in pc units.
    package func offset(_ row: Int) -> Int { Int(offsets >> UInt64(8 * row) & 0xff) }

    /// The rule number of a row, 0 to 7.
    package func rule(_ row: Int) -> Int { Int(rules >> UInt64(8 * row) & 0xff) }

    /// Whether a row, 1 to 7, only fills the template up.
    func isUnused(_ row: Int) -> Bool { offset(row) == offset(row - 1) && rule(row) == rule(row - 1) }

    /// The number of rows before the first unused one.
    package var rowCount: Int { (1..<Int(CFIC_TEMPLATE_ROWS)).first(where: isUnused) ?? Int(CFIC_TEMPLATE_ROWS) }
}

/// How many units after its first row the last row of each symbol is: 0 of rules.
struct SymbolReaches {
    /// The number of symbols: rules and templates.
    let count: Int
    private let firstTemplate: Int
    private let ofTemplates: [UInt8]

    /// - Precondition: the table's templates are proved.
    fileprivate init(_ view: TableView) {
        count = view.rules.count + view.templates.count
        firstTemplate = Int(view.header.fields.first_template)
        ofTemplates = view.templates.map { UInt8($0.offset($0.rowCount - 1)) }
    }

    subscript(symbol: Int) -> UInt8 {
        let template = symbol - firstTemplate
        return ofTemplates.indices.contains(template) ? ofTemplates[template] : 0
    }
}

/// The same by the codes of one record.
struct CodeReaches {
    let symbols: SymbolReaches
    /// By code.
    private(set) var ofCodes: [UInt8]
    private var paletteCount = 0

    /// The codes of a record without a palette.
    init(_ symbols: SymbolReaches) {
        self.symbols = symbols
        ofCodes = (0..<256).map { symbols[$0] }
    }

    /// Changes to the codes of a record with `palette`, whose entries are symbols.
    mutating func use(_ palette: UnsafeBufferPointer<UInt16>) {
        for code in 256 - paletteCount..<256 { ofCodes[code] = symbols[code] }
        for (index, symbol) in palette.enumerated() { ofCodes[256 - palette.count + index] = symbols[Int(symbol)] }
        paletteCount = palette.count
    }
}
