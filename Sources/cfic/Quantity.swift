/// Formats numbers for people.
enum Quantity {
    /// 1234567 → 1,234,567
    static func count(_ value: some BinaryInteger) -> String {
        var digits = Array(String(value))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return String(digits)
    }

    /// 1 stack, 2 stacks.
    static func count(_ value: some BinaryInteger, _ thing: String) -> String {
        "\(count(value)) \(thing)\(value == 1 ? "" : "s")"
    }

    /// 512 B, 58.2 KiB, 4.1 MiB.
    static func bytes(_ value: UInt64) -> String {
        if value < 1024 { return "\(value) B" }
        var scaled = Double(value) / 1024
        for unit in ["KiB", "MiB", "GiB"] {
            if scaled < 1024 { return "\(fixed(scaled, 1)) \(unit)" }
            scaled /= 1024
        }
        return "\(fixed(scaled, 1)) TiB"
    }

    /// A share of 0...1. Rounded down, so that only 1 is shown as 100 %.
    static func percent(_ share: Double) -> String {
        share >= 1 ? "100 %" : "\(fixed((share * 10000).rounded(.down) / 100, 2)) %"
    }

    /// With this many decimal places.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let whole = Int64(scaled)
        let unit = Int64(scale)
        let fraction = String(whole % unit)
        let sign = value < 0 && whole != 0 ? "-" : ""
        if digits == 0 { return sign + count(whole) }
        return sign + count(whole / unit) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
