import Symbols

/// Colours and patterns of pictures of flame graphs; the page's are in colours.js, and look the same.
enum SVGStyle {
    /// How many shades user code has: one per module.
    static let shades = 11
    /// How many colours there are for more, and as many for less, if two profiles are compared.
    static let changes = 8

    /// In the legend's order: classes, and what they mean.
    static let kinds: [(name: String, description: String)] = [
        ("user", "user code, a shade per module"), ("inlined", "inlined"), ("kernel", "kernel"), ("guessed", "guessed"),
        ("unchecked", "guessed, unchecked"), ("finished", "found in user space"),
        ("inferred", "found by an inferred rule"), ("truncated", "truncated: callers missing"),
        ("waiting", "the part of it that waits"),
    ]

    /// Those with a pattern.
    static let patterns: Set = ["inlined", "guessed", "unchecked", "finished", "inferred", "truncated"]

    static let text = """
        <style>
        text { font: 11px system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1c1b19; }
        .heading { font-size: 16px; font-weight: 600; } .quiet { fill: #67635b; } .page { fill: #fff; }
        \(colours(isDark: false))
        .lines { stroke: #000; stroke-opacity: 0.17; stroke-width: 1.2; fill: none; } .wide { stroke-width: 3; }
        @media (prefers-color-scheme: dark) {
        text { fill: #f1efe9; } .quiet { fill: #a19d95; } .page { fill: #16181c; } .lines { stroke: #fff; stroke-opacity: 0.22; }
        \(colours(isDark: true))
        }
        </style>
        <defs>
        \(pattern("inlined", "M0 7.5h4"))
        \(pattern("guessed", "M-8 8l8-8M0 8l8-8M8 8l8-8"))
        \(pattern("unchecked", "M-8 8l8-8M0 8l8-8M8 8l8-8M-8 0l8 8M0 0l8 8M8 0l8 8"))
        \(pattern("finished", "M1.4 2h1.2M5.4 6h1.2"))
        \(pattern("inferred", "M2 0v8M6 0v8"))
        \(pattern("truncated", "M-8 0l8 8M0 0l8 8M8 0l8 8", isWide: true))
        </defs>
        """

    private static func colours(isDark: Bool) -> String {
        func colour(_ hue: Int, _ saturation: Int, _ lightness: Int) -> String {
            isDark
                ? "hsl(\(hue), \(saturation / 2)%, \(36 - (lightness - 80) / 2)%)"
                : "hsl(\(hue), \(saturation)%, \(lightness)%)"
        }
        var rules = [
            ".all { fill: \(isDark ? "#3b3f46" : "#d5d3ce"); }",
            ".truncated { fill: \(isDark ? "#4a4747" : "#cfcaca"); }",
            ".waiting { fill: \(isDark ? "#8598f0" : "#5566c9"); }",
        ]
        for (name, hue, saturation, lightness) in [
            ("kernel", 205, 60, 79), ("guessed", 275, 60, 84), ("unchecked", 315, 50, 84), ("finished", 150, 42, 77),
            ("inferred", 85, 46, 77),
        ] { rules.append(".\(name) { fill: \(colour(hue, saturation, lightness)); }") }
        for shade in 0..<shades {
            rules.append(".user\(shade) { fill: \(colour(22 + shade * 5 / 2, 82, 76 + shade % 4 * 3)); }")
        }
        for change in -changes...changes {
            // Grey if nothing has changed; red for more, blue for less.
            let strength = 10 * abs(change)
            rules.append(
                ".change\(change) { fill: \(colour(change < 0 ? 215 : 8, min(90, strength), 90 - 4 * abs(change))); }")
        }
        return rules.joined(separator: "\n")
    }

    private static func pattern(_ name: String, _ path: String, isWide: Bool = false) -> String {
        "<pattern id=\"\(name)\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
            + "<path class=\"lines\(isWide ? " wide" : "")\" d=\"\(path)\"/></pattern>"
    }
}

/// Text in SVG.
enum SVGText {
    /// Printable, and without what XML has a meaning for. XML 1.0, section 2.2, has no U+FFFE and U+FFFF.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in PrintableText.of(text).unicodeScalars {
            switch scalar {
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "&": escaped += "&amp;"
            case "\u{fffe}", "\u{ffff}": escaped += "\\u" + String(scalar.value, radix: 16)
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// The first characters, and an ellipsis if there are more.
    static func shortened(_ text: String, _ length: Int) -> String {
        guard text.utf8.count > length else { return text }
        let start = text.prefix(length)
        return start.endIndex == text.endIndex ? text : start + "…"
    }

    /// With this many decimals.
    static func fixed(_ number: Double, _ decimals: Int) -> String {
        let scale = [1, 10, 100][decimals]
        let whole = FlameTree.whole((number.magnitude * Double(scale)).rounded())
        let sign = number < 0 && whole > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(whole)" }
        let fraction = String(whole % scale)
        return "\(sign)\(whole / scale)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
