import JSONDocuments
import BPFCheck
import Files
import Glibc

/// The findings of `check-bpf`, as text and as JSON.
struct BPFReport: JSONDocument {
    static let schema = "check-bpf"

    /// One cause, with all of its locations.
    struct Entry: Encodable {
        var path: String
        var kind: String
        /// Of the requested releases, those that have the problem.
        var kernels: [String]
        var machines: [String]?
        /// The first location.
        var function: String?
        var program: String?
        var section: String?
        var offset: Int?
        var file: String?
        var line: Int?
        /// All locations, and their number.
        var count: Int
        var places: [Place]
        var problem: String
        /// The message with which the kernel or libbpf refuses it.
        var refusal: String?
        /// The first release without the problem.
        var since: String?
        /// What else must be true, in words that follow "only if".
        var condition: String?
        /// Whether it affects only programs that aren't loaded by default.
        var isOptional: Bool
        var remedy: String
    }

    /// A location in an object and its source.
    struct Place: Encodable, Hashable {
        var function: String?
        var program: String?
        var section: String?
        var offset: Int?
        var file: String?
        var line: Int?
    }

    var objects: [String] = []
    var findings: [Entry] = []
    /// Objects that could not be checked, and findings that are less certain than they look.
    var notes: [String] = []
    var failures: [String] = []

    /// Whether libbpf, or one of the requested kernels, refuses an object.
    ///
    /// - Parameter withOptional: whether to count programs that aren't loaded by default.
    func hasRefusal(withOptional: Bool) -> Bool {
        findings.contains { $0.condition == nil && (withOptional || !$0.isOptional) }
    }

    mutating func add(
        _ object: BPFObject, kernels: [KernelVersion], types: KernelBTF?, machines: [TargetMachine]
    ) {
        objects.append(object.path)
        if !object.hasBTF {
            notes.append(
                "\(object.path): no BTF (clang -g): maps, lines and CO-RE queries can't be read, and "
                    + "the kernel treats all functions as static")
        }
        if object.programCount == 0 {
            notes.append("\(object.path): no programs; each function is checked as if it were called")
        }
        var causes = Causes()
        for kernel in Set(kernels).sorted() {
            for finding in object.findings(kernel: kernel, types: types, machines: machines) {
                causes.add(finding, path: object.path)
            }
        }
        findings += causes.entries
    }

    func write(kernels: [KernelVersion]) {
        var output = StandardOutput()
        for finding in findings {
            output.line([
                (finding.place, .bold), (": ", nil), (finding.problem, finding.isSure ? .red : .bold),
            ])
            for (name, text) in finding.details { output.line("  \(name)\(text)") }
            output.line()
        }
        output.flush()
        for note in notes { Diagnostics.remark(note) }
        if findings.isEmpty, !objects.isEmpty {
            let names = Set(kernels).sorted().map(\.description).joined(separator: ", ")
            output.line("\(objects.joined(separator: ", ")): found nothing that Linux \(names) refuses")
            output.flush()
        } else if !findings.isEmpty {
            let unsure = findings.count { !$0.isSure }
            let words = unsure == 0 ? "" : ", \(unsure) of them conditional or in optional programs"
            Diagnostics.note(Quantity.count(findings.count, "finding") + words)
        }
    }
}

/// Groups findings by cause: the same refusal by several kernels, or in many locations, is one entry.
private struct Causes {
    /// A finding without its location and kernel.
    private struct Cause: Hashable {
        let finding: Finding

        init(_ finding: Finding) {
            var cause = finding
            (cause.function, cause.section, cause.offset, cause.source) = (nil, nil, nil, nil)
            cause.program = nil
            cause.kernel = KernelVersion(0, 0)
            self.finding = cause
        }
    }

    private var order: [Cause] = []
    private var places: [Cause: [(place: BPFReport.Place, kernels: [KernelVersion])]] = [:]
    private var known: [Cause: [BPFReport.Place: Int]] = [:]

    mutating func add(_ finding: Finding, path: String) {
        let cause = Cause(finding)
        let place = BPFReport.Place(
            function: finding.function, program: finding.program, section: finding.section, offset: finding.offset,
            file: finding.source?.file, line: finding.source?.line)
        if places[cause] == nil { order.append(cause) }
        if let index = known[cause]?[place] {
            if places[cause]?[index].kernels.last != finding.kernel {
                places[cause]?[index].kernels.append(finding.kernel)
            }
        } else {
            known[cause, default: [:]][place] = places[cause]?.count ?? 0
            places[cause, default: []].append((place, [finding.kernel]))
        }
        self.path = path
    }

    private var path = ""

    /// One entry for each cause and set of kernels.
    var entries: [BPFReport.Entry] {
        order.flatMap { cause -> [BPFReport.Entry] in
            var lists: [[KernelVersion]] = []
            var members: [[KernelVersion]: [BPFReport.Place]] = [:]
            for (place, kernels) in places[cause] ?? [] {
                if members[kernels] == nil { lists.append(kernels) }
                members[kernels, default: []].append(place)
            }
            return lists.map { BPFReport.Entry(cause.finding, path: path, kernels: $0, members[$0] ?? []) }
        }
    }
}

extension BPFReport.Entry {
    init(_ finding: Finding, path: String, kernels: [KernelVersion], _ places: [BPFReport.Place]) {
        let first = places.first
        self.init(
            path: path, kind: finding.kind.rawValue, kernels: kernels.map(\.description),
            machines: finding.machines?.map(\.rawValue), function: first?.function, program: first?.program,
            section: first?.section, offset: first?.offset, file: first?.file, line: first?.line, count: places.count,
            places: places, problem: finding.problem, refusal: finding.refusal, since: finding.since?.description,
            condition: finding.condition, isOptional: finding.isOptional, remedy: finding.remedy)
    }

    /// Whether the object, loaded by default, is refused for certain.
    fileprivate var isSure: Bool { condition == nil && !isOptional }

    /// In the form of compilers, which editors recognise; without source lines, the location in the object.
    fileprivate var place: String {
        if let file, let line { return "\(file):\(line)" }
        guard let section else { return path }
        return offset.map { "\(path): \(section)+\($0.hex)" } ?? "\(path): \(section)"
    }

    fileprivate var details: [(String, String)] {
        var lines: [(String, String)] = []
        if let function {
            lines.append(("in       ", function + (program.map { $0 == function ? "" : ", for \($0)" } ?? "")))
        }
        if count > 1 { lines.append(("also     ", others)) }
        let machine = machines.map { " on " + $0.joined(separator: ", ") } ?? ""
        lines.append(("refused  ", "by Linux \(kernels.joined(separator: ", "))\(machine)"))
        if let condition { lines.append(("only if  ", condition)) }
        if isOptional { lines.append(("optional ", "not loaded unless the loader asks for it (SEC(\"?...\"))")) }
        if let refusal { lines.append(("message  ", refusal)) }
        if let since { lines.append(("accepted ", "from Linux \(since) on")) }
        lines.append(("remedy   ", remedy))
        return lines
    }

    /// `7 more places, in decide, handle and 3 more`
    private var others: String {
        var names: [String] = []
        for place in places {
            if let name = place.function, name != function, !names.contains(name) { names.append(name) }
        }
        let places = Quantity.count(count - 1, "more place")
        guard !names.isEmpty else { return places }
        let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
        return "\(places), also in \(names.prefix(3).joined(separator: ", "))\(rest)"
    }
}
