import ProfileFormats
import Symbols

/// A report for people.
struct ReportText {
    private let profile: NamedProfile
    private let old: NamedProfile?
    private let limit: Int?
    private let total: Double

    init(_ profile: NamedProfile, old: NamedProfile?, limit: Int?) {
        (self.profile, self.old, self.limit) = (profile, old, limit)
        total = profile.total.total
    }

    func write(_ view: ReportView) throws {
        var output = StandardOutput()
        output.line(Self.facts(profile))
        switch view {
        case .tree(let tree, let least): write(tree, least: least, to: &output)
        case .parts(let part):
            if let old {
                guard old.unit == profile.unit else { throw ProfileDifference.DifferentUnits(from: old, to: profile) }
                output.line("before: " + Self.facts(old))
                writeChanges(ReportChanges(from: old, to: profile, by: part).rows, part, to: &output)
            } else {
                write(ProfileTotals(profile, by: part).rows, part, to: &output)
            }
        }
        output.flush()
    }

    private static func facts(_ profile: NamedProfile) -> String {
        let total = profile.total
        var facts = "\(Quantity.count(total.samples, "sample"))"
        if !profile.event.isEmpty, profile.event != "samples" { facts += " of \(profile.event)" }
        if profile.unit != .samples { facts += ", \(weight(total.total, profile.unit))" }
        if profile.seconds > 0 { facts += " in \(Quantity.fixed(profile.seconds, 1)) s" }
        if profile.lostSamples > 0 { facts += ", \(Quantity.count(profile.lostSamples)) lost" }
        return facts
    }

    private static func weight(_ weight: Double, _ unit: NamedProfile.Unit) -> String {
        switch unit {
        case .nanoseconds: "\(Quantity.fixed(weight / 1e9, 3)) s"
        case .samples: Quantity.count(Int(exactly: weight.rounded()) ?? .max)
        case .events: Quantity.count(Int(exactly: weight.rounded()) ?? .max, "event")
        }
    }

    private func weight(_ weight: Double) -> String { Self.weight(weight, profile.unit) }

    private func percent(_ weight: Double) -> String { Quantity.fixed(100 * weight / total, 2) + " %" }

    private static func file(_ path: String) -> String {
        guard !path.hasPrefix("[") else { return path }
        return path.split(separator: "/").last.map(String.init) ?? path
    }

    // MARK: Tables

    /// The last columns of a row, or their headings. Names come last, because some are long.
    private static func names(_ part: ProfileTotals.Part, _ name: String? = nil, _ module: String? = nil) -> [String] {
        (part.isOfFrames && part != .module ? [module.map(file) ?? "module"] : []) + [name ?? part.rawValue]
    }

    private func write(_ rows: [ProfileTotals.Row], _ part: ProfileTotals.Part, to output: inout StandardOutput) {
        let shown = rows.prefix(limit ?? 30)
        var table: TextTable
        if part.isOfFrames {
            table = TextTable(["self", "", "total", ""] + Self.names(part), left: [4, 5])
            for row in shown {
                table.add(
                    [weight(row.own), percent(row.own), weight(row.total), percent(row.total)]
                        + Self.names(part, row.name, row.module))
            }
        } else {
            table = TextTable(["total", "", part.rawValue], left: [2])
            for row in shown { table.add([weight(row.total), percent(row.total), row.name]) }
        }
        output.write(table)
        writeRest(rows.count - shown.count, to: &output)
    }

    private func writeChanges(
        _ rows: [ReportChanges.Row], _ part: ProfileTotals.Part, to output: inout StandardOutput
    ) {
        let shown = rows.prefix(limit ?? 30)
        let hasTotals = part.isOfFrames
        var table = TextTable(
            ["self", "before", "change"] + (hasTotals ? ["total", "before", "change"] : [])
                + Self.names(part), left: hasTotals ? [6, 7] : [3])
        for row in shown {
            var cells = Self.change(row.own)
            if hasTotals { cells += Self.change(row.total) }
            table.add(cells + Self.names(part, row.name, row.module))
        }
        output.write(table)
        writeRest(rows.count - shown.count, to: &output)
    }

    private static func change(_ shares: ReportChanges.Shares) -> [String] {
        let sign = shares.change < 0 ? "" : "+"
        return [
            Quantity.fixed(100 * shares.now, 2) + " %", Quantity.fixed(100 * shares.before, 2) + " %",
            sign + Quantity.fixed(100 * shares.change, 2),
        ]
    }

    private func writeRest(_ count: Int, to output: inout StandardOutput) {
        if count > 0 { output.line("\(Quantity.count(count)) more; see -n", .dim) }
    }

    // MARK: Trees

    private func write(_ tree: CallTree, least: Double, to output: inout StandardOutput) {
        let widths = (8, 8)
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        output.line(padded("total", widths.0) + "  " + padded("self", widths.1) + "  function")
        var count = 0
        tree.visit(atLeast: total * least / 100) { node, depth in
            count += 1
            if let limit, count > limit { return }
            // Deep recursion would fill the screen with blanks.
            let indent = String(repeating: " ", count: Swift.min(depth - 1, 60)) + (depth > 60 ? "(\(depth)) " : "")
            let module = node.module.map { profile.names[profile.modules[Int($0)].path] } ?? ""
            output.line([
                (padded(percent(node.total), widths.0) + "  " + padded(percent(node.own), widths.1) + "  ", nil),
                (indent + profile.names[node.function], nil),
                (module.isEmpty ? "" : "  " + Self.file(module), .dim),
            ])
        }
        writeRest(limit.map { count - $0 } ?? 0, to: &output)
    }
}

/// What has changed between two profiles, as shares of each.
struct ReportChanges {
    struct Shares {
        /// Of 1.
        var now = 0.0, before = 0.0
        var change: Double { now - before }
    }

    struct Row {
        var name, module: String
        var own = Shares(), total = Shares()
    }

    /// Those that changed most first.
    private(set) var rows: [Row] = []

    init(from old: NamedProfile, to new: NamedProfile, by part: ProfileTotals.Part) {
        struct Key: Hashable {
            var name, module: String
        }
        var numbers: [Key: Int] = [:]
        for (profile, isOld) in [(new, false), (old, true)] {
            let whole = profile.total.total
            for row in ProfileTotals(profile, by: part).rows {
                let key = Key(name: row.name, module: row.module)
                let number = numbers[key] ?? rows.count
                if number == rows.count {
                    numbers[key] = number
                    rows.append(Row(name: row.name, module: row.module))
                }
                // Modules of the same path are the same here, whatever their build ids.
                if isOld {
                    rows[number].own.before += row.own / whole
                    rows[number].total.before += row.total / whole
                } else {
                    rows[number].own.now += row.own / whole
                    rows[number].total.now += row.total / whole
                }
            }
        }
        rows.sort {
            let (a, b) = (abs($0.own.change), abs($1.own.change))
            if a != b { return a > b }
            let (c, d) = (abs($0.total.change), abs($1.total.change))
            return c != d ? c > d : ($0.name, $0.module) < ($1.name, $1.module)
        }
    }
}
