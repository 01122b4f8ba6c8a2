import CUnwindTable
import CallFrameInfo

/// The symbols of a page's items: which there are, their codes, and the rows that they stand for.
extension PageEncoder {
    /// Counts the items of each symbol.
    mutating func count(_ items: UnsafeBufferPointer<UInt32>) {
        // A local copy, which nothing else can change.
        let counts = counts
        for item in items {
            let symbol = Int(item & 0xffff)
            if counts[symbol] == 0 { used.append(UInt16(truncatingIfNeeded: symbol)) }
            counts[symbol] &+= 1
        }
    }

    /// Prepares for other items.
    mutating func resetCounts() {
        for symbol in used.elements { counts[Int(symbol)] = 0 }
        used.removeAll()
    }

    /// Has the page's palette hold all symbols that are no codes, and sets the codes of all.
    ///
    /// With p entries, symbols from 256 - p on are no codes. The smallest p is taken that has room for all of them.
    mutating func makePalette() {
        var isUsed: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var needed = 0
        withUnsafeMutableBytes(of: &isUsed) { bits in
            for symbol in used.elements {
                if symbol < 256 { bits[Int(symbol >> 3)] |= 1 << UInt8(symbol & 7) } else { needed += 1 }
            }
            var size = needed
            // Each step adds an entry, and at most one symbol that needs one. There are at most 255 symbols.
            var from = 256
            while true {
                while from > 256 - size {
                    from -= 1
                    if bits[from >> 3] >> UInt8(from & 7) & 1 != 0 { needed += 1 }
                }
                if needed <= size { break }
                size += 1
            }
            palette.removeAll()
            for symbol in used.elements where Int(symbol) >= 256 - size { palette.append(symbol) }
            var entries = palette.elements
            entries.sort()
            for (slot, symbol) in palette.elements.enumerated() {
                codes[Int(symbol)] = UInt8(truncatingIfNeeded: 256 - size + slot)
            }
            for symbol in used.elements where Int(symbol) < 256 - size {
                codes[Int(symbol)] = UInt8(truncatingIfNeeded: symbol)
            }
            // Entries that nobody needs.
            while palette.count < size { palette.append(0) }
        }
    }

    /// Writes out those templates that save least, until at most as many symbols are left as a record can have; if that
    /// isn't possible, all of them. Returns the number of items, which are in `withoutRare`.
    mutating func writeOutRareTemplates(
        _ items: UnsafeBufferPointer<UInt32>, _ symbols: borrowing SymbolNumbering
    ) -> Int {
        let templates = symbols.templates
        var saved: [UInt64] = []
        for symbol in used.elements {
            guard let template = symbols.template(of: Int(symbol)) else { continue }
            saved.append(UInt64(counts[Int(symbol)]) * UInt64(templates[template].count - 1) << 16 | UInt64(symbol))
        }
        saved.sort()
        var isRare = [Bool](repeating: false, count: templates.count)
        var left = used.count
        for symbol in saved.lazy.map({ Int($0 & 0xffff) }) where left > CFIC_PALETTE_MAX {
            let template = templates[symbol - symbols.first]
            isRare[symbol - symbols.first] = true
            left -= 1
            for row in 0..<template.count {
                let rule = symbols.symbol(ofRule: Int(template.rules[row]))
                if counts[rule] == 0 {
                    counts[rule] = 1
                    used.append(UInt16(rule))
                    left += 1
                }
            }
        }
        var count = 0
        for item in items {
            if let template = symbols.template(of: Int(item & 0xffff)), isRare[template] {
                count += Self.expand(item, templates[template], to: withoutRare + count) { symbols.symbol(ofRule: $0) }
            } else {
                withoutRare[count] = item
                count += 1
            }
        }
        resetCounts()
        self.count(UnsafeBufferPointer(start: withoutRare, count: count))
        return count
    }

    /// The rows (unit << 16 | rule number) of items.
    func expand(
        _ items: UnsafeBufferPointer<UInt32>, _ symbols: borrowing SymbolNumbering
    ) -> UnsafeBufferPointer<UInt32> {
        let templates = symbols.templates
        var count = 0
        for item in items {
            let symbol = Int(item & 0xffff)
            if let template = symbols.template(of: symbol) {
                count += Self.expand(item, templates[template], to: rows + count) { $0 }
            } else {
                rows[count] = item & 0xffff_0000 | UInt32(symbols.rule(of: symbol))
                count += 1
            }
        }
        return UnsafeBufferPointer(start: rows, count: count)
    }

    /// Writes a template's rows and returns their number.
    private static func expand(
        _ item: UInt32, _ template: Template, to rows: UnsafeMutablePointer<UInt32>, symbol: (Int) -> Int
    ) -> Int {
        for row in 0..<template.count {
            let unit = item & 0xffff_0000 &+ UInt32(template.offsets[row]) &<< 16
            rows[row] = unit | UInt32(truncatingIfNeeded: symbol(Int(template.rules[row])))
        }
        return template.count
    }
}
