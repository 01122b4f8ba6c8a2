/// A number with `decimals` decimals; a dash for nil.
func decimal(_ value: Double?, _ decimals: Int = 1) -> String {
    guard let value, value.isFinite, value.magnitude < 1e15 else { return "-" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let whole = scaled / Int(scale)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(whole)" }
    let fraction = String(scaled % Int(scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

func milliseconds(_ seconds: Double?) -> String { decimal(seconds.map { $0 * 1e3 }) }

func mebibytes(_ bytes: Double?) -> String { decimal(bytes.map { $0 / Double(1 << 20) }) }

/// `one` divided by `other`.
func times(_ one: Double?, _ other: Double?) -> Double? {
    guard let one, let other, other > 0 else { return nil }
    return one / other
}
