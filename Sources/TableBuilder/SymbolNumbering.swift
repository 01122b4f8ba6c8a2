import CUnwindTable
import UnwindTable

/// The numbers of a table's symbols: rules below `first` have their own, then come the templates, by falling number of uses,
/// then the other rules.
struct SymbolNumbering: ~Copyable {
    let ruleCount: Int
    /// The templates that are used, in the order of their symbols.
    let templates: [Template]
    /// The first template's symbol.
    let first: Int
    /// The symbol of each template of the trie that counted the uses; 0 of one that isn't used.
    private let numbers: [UInt16]
    /// The templates that are used, their symbols following the rules.
    let trie: TemplateTrie

    /// - Parameters:
    ///   - trained: the templates of the trie that counted the uses.
    ///   - uses: of each rule, and then of each template.
    init(_ trained: [Template], ruleCount: Int, uses: [UInt64]) {
        let order = trained.indices.filter { uses[ruleCount + $0] != 0 }
            .sorted { (uses[ruleCount + $1], $0) < (uses[ruleCount + $0], $1) }
        self.ruleCount = ruleCount
        templates = order.map { trained[$0] }
        trie = TemplateTrie(templates, ruleCount: ruleCount)
        first = Self.bestFirst(uses[..<ruleCount], order.map { uses[ruleCount + $0] })
        var numbers = [UInt16](repeating: 0, count: trained.count)
        for (position, template) in order.enumerated() {
            numbers[template] = UInt16(truncatingIfNeeded: first + position)
        }
        self.numbers = numbers
    }

    /// As many rules before the templates as make the symbols below 256, which need no palette, those that are used most.
    private static func bestFirst(_ rules: ArraySlice<UInt64>, _ templates: [UInt64]) -> Int {
        if templates.isEmpty { return 0 }
        var covered = templates.prefix(256).reduce(0, +)
        var (best, first) = (covered, 0)
        for count in 1...min(rules.count, 256) {
            covered += rules[count - 1]
            if 256 - count < templates.count { covered -= templates[256 - count] }
            if covered > best { (best, first) = (covered, count) }
        }
        return first
    }

    /// The symbol of a rule.
    @inline(__always)
    func symbol(ofRule rule: Int) -> Int { rule < first ? rule : rule + templates.count }

    /// Replaces the symbols of the trie that counted the uses in items (unit << 16 | symbol).
    func renumber(_ items: UnsafeMutableBufferPointer<UInt32>) {
        let (ruleCount, first, templateCount) = (UInt32(ruleCount), UInt32(first), UInt32(templates.count))
        numbers.withUnsafeBufferPointer { numbers in
            for position in 0..<items.count {
                let item = items[position]
                let symbol = item & 0xffff
                if symbol >= ruleCount {
                    items[position] = item & 0xffff_0000 | UInt32(numbers[Int(symbol &- ruleCount)])
                } else if symbol >= first {
                    // All symbols fit 16 bits.
                    items[position] = item &+ templateCount
                }
            }
        }
    }

    /// The symbol of what `trie` calls `symbol`.
    @inline(__always)
    func symbol(ofUsed symbol: Int) -> Int {
        symbol < ruleCount ? self.symbol(ofRule: symbol) : first + symbol - ruleCount
    }

    /// The index of a symbol's template; nil if it is a rule.
    @inline(__always)
    func template(of symbol: Int) -> Int? {
        symbol >= first && symbol - first < templates.count ? symbol - first : nil
    }

    /// The number of a rule, by its symbol.
    @inline(__always)
    func rule(of symbol: Int) -> Int { symbol < first ? symbol : symbol - templates.count }
}
