import UnwindTable
import Validation

/// What `cfic validate` found.
struct ValidationReport: Encodable {
    struct Difference: Encodable {
        /// SVMA.
        var address: UInt64
        var table: String
        var reference: String
    }

    struct File: Encodable {
        var path: String
        var probes: Int
        var agreements: Int
        /// Differences that have a name, by it.
        var known: [String: Int]
        /// Addresses for which the table has a reason and libdw an answer, by reason.
        var unsaid: [String: Int]
        var disagreements: Int
        var firstDisagreements: [Difference]
    }

    var files: [File] = []
    var skipped: [String] = []
    var failures: [String] = []

    var isGood: Bool { failures.isEmpty && files.allSatisfy { $0.disagreements == 0 } }

    func write() {
        var output = StandardOutput()
        for file in files {
            let verdict = file.disagreements == 0 ? "agrees" : "\(Quantity.count(file.disagreements)) disagreements"
            output.line("\(file.path): \(verdict), \(Quantity.count(file.probes)) probes")
            for difference in file.firstDisagreements.prefix(8) {
                let address = "0x" + String(difference.address, radix: 16)
                output.line("  \(address)  table: \(difference.table)")
                output.line("  \(String(repeating: " ", count: address.count))  libdw: \(difference.reference)")
            }
        }
        func sum(_ count: (File) -> Int) -> String { Quantity.count(files.reduce(0) { $0 + count($1) }) }
        let number = "\(Quantity.count(files.count)) file\(files.count == 1 ? "" : "s")"
        if !files.isEmpty {
            output.line(
                "\(number), \(sum(\.probes)) probes: \(sum(\.agreements)) agree, \(sum(\.disagreements)) disagree")
        }
        for known in TableValidation.Known.allCases {
            let count = files.reduce(0) { $0 + ($1.known[known.rawValue] ?? 0) }
            if count > 0 { output.line("  \(Quantity.count(count)) known: \(known.text)") }
        }
        for reason in Set(files.flatMap(\.unsaid.keys)).sorted() {
            let count = files.reduce(0) { $0 + ($1.unsaid[reason] ?? 0) }
            output.line("  \(Quantity.count(count)) without a rule: \(reason)")
        }
        if !skipped.isEmpty { output.line("  \(Quantity.count(skipped.count)) files have no table") }
        output.flush()
        for failure in failures { Talk.error(failure) }
    }
}

extension ValidationReport.File {
    init(_ path: String, _ validation: TableValidation, _ table: TableView) {
        self.path = path
        probes = validation.probes
        agreements = validation.agreements
        known = Dictionary(uniqueKeysWithValues: validation.known.map { ($0.key.rawValue, $0.value) })
        unsaid = validation.unsaid
        disagreements = validation.disagreementCount
        firstDisagreements = validation.disagreements.map {
            ValidationReport.Difference(
                address: $0.address, table: "\(table.describe(table.ruleNumber(at: $0.address))): \($0.table)",
                reference: "\($0.reference)")
        }
    }
}
