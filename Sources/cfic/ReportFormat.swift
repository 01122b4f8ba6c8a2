import Files
import JSONDocuments
import ProfileFormats

/// A report as a document that docs/json.md describes.
struct ReportFormat: NamedProfileFormat {
    let tellsProcessesApart = true
    let view: ReportView
    let old: NamedProfile?
    let limit: Int?

    func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        output.write(try JSONText.text(ReportDocument(profile, view, old: old, limit: limit)))
    }
}

private struct ReportDocument: JSONDocument {
    static let schema = "report"

    struct Part: Encodable {
        var name: String
        var module: String?
        var own: Double
        var total: Double
        /// Of the earlier profile, in its own weights.
        var ownShareBefore: Double?
        var totalShareBefore: Double?
    }

    struct Call: Encodable {
        var function: String
        var module: String?
        /// 1 for the outermost functions; in a list of callers or callees, for the function itself.
        var depth: Int
        var own: Double
        var total: Double
    }

    /// `samples`, `nanoseconds` or `events`.
    var unit: String
    var event: String
    var seconds: Double
    var samples: Int
    var lostSamples: UInt64
    /// The weight of all stacks together.
    var total: Double
    /// What `parts` are.
    var by: String?
    var parts: [Part]?
    /// Each after its parent, which is the nearest entry before with a smaller depth.
    var calls: [Call]?

    init(_ profile: NamedProfile, _ view: ReportView, old: NamedProfile?, limit: Int?) throws {
        let all = profile.total
        unit = profile.unit.rawValue
        (event, seconds, samples, lostSamples) = (profile.event, profile.seconds, all.samples, profile.lostSamples)
        total = all.total
        switch view {
        case .tree(let tree, let least):
            var calls: [Call] = []
            tree.visit(atLeast: all.total * least / 100) { node, depth in
                if let limit, calls.count == limit { return }
                calls.append(
                    Call(
                        function: profile.names[node.function],
                        module: node.module.map { profile.names[profile.modules[Int($0)].path] }, depth: depth,
                        own: node.own, total: node.total))
            }
            self.calls = calls
        case .parts(let part):
            by = part.rawValue
            parts = try Self.parts(profile, part, old: old).prefix(limit ?? .max).map { $0 }
        }
    }

    private static func parts(
        _ profile: NamedProfile, _ part: ProfileTotals.Part, old: NamedProfile?
    ) throws -> [Part] {
        guard let old else {
            return ProfileTotals(profile, by: part).rows.map {
                Part(name: $0.name, module: $0.module.isEmpty ? nil : $0.module, own: $0.own, total: $0.total)
            }
        }
        guard old.unit == profile.unit else { throw ProfileDifference.DifferentUnits(from: old, to: profile) }
        let whole = profile.total.total
        return ReportChanges(from: old, to: profile, by: part).rows.map {
            Part(
                name: $0.name, module: $0.module.isEmpty ? nil : $0.module, own: $0.own.now * whole,
                total: $0.total.now * whole, ownShareBefore: $0.own.before, totalShareBefore: $0.total.before)
        }
    }
}
