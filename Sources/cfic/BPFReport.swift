import BPFCheck
import Glibc

/// What `check-bpf` found, for people and for programs.
struct BPFReport: Encodable {
    struct Entry: Encodable, Hashable {
        var path: String
        var kind: String
        /// The releases that were asked for and have the problem.
        var kernels: [String]
        var machines: [String]?
        var function: String?
        var program: String?
        var section: String?
        var offset: Int?
        var file: String?
        var line: Int?
        var problem: String
        /// What the kernel, or libbpf, says when it refuses.
        var refusal: String?
        /// The first release without the problem.
        var since: String?
        var remedy: String
    }

    var objects: [String] = []
    var findings: [Entry] = []
    /// What could not be looked at.
    var notes: [String] = []
    var failures: [String] = []

    mutating func add(_ object: BPFObject, kernels: [KernelVersion], machines: [TargetMachine]) {
        objects.append(object.path)
        if !object.hasBTF {
            notes.append(
                "\(object.path): no BTF (clang -g): maps, lines and questions to the kernel can't be read; the kernel "
                    + "takes all functions for static ones then")
        }
        if object.hasLegacyMaps {
            notes.append("\(object.path): maps in the section \"maps\", which libbpf 1.0 gave up, aren't looked at")
        }
        if object.programCount == 0 {
            notes.append("\(object.path): no programs; each function is looked at as if it were called")
        }
        // What several kernels refuse in the same way is said once.
        var places: [Entry: Int] = [:]
        for kernel in Set(kernels).sorted() {
            for finding in object.findings(kernel: kernel, machines: machines) {
                let entry = Entry(finding, path: object.path)
                if let place = places[entry] {
                    findings[place].kernels.append("\(kernel)")
                } else {
                    places[entry] = findings.count
                    findings.append(entry)
                    findings[findings.count - 1].kernels = ["\(kernel)"]
                }
            }
        }
    }

    func write(kernels: [KernelVersion]) {
        var output = StandardOutput()
        for finding in findings {
            output.line("\(output.style(finding.place, .bold)): \(output.style(finding.problem, .red))")
            for (name, text) in finding.details { output.line("  \(name)\(text)") }
            output.line()
        }
        output.flush()
        for note in notes { Talk.say("\(Talk.style("note:", .dim)) \(note)") }
        if findings.isEmpty, !objects.isEmpty {
            let names = Set(kernels).sorted().map(\.description).joined(separator: ", ")
            output.line("\(objects.joined(separator: ", ")): nothing found that Linux \(names) refuses")
            output.flush()
        } else if !findings.isEmpty {
            Talk.say(Quantity.count(findings.count, "finding"))
        }
    }
}

extension BPFReport.Entry {
    init(_ finding: Finding, path: String) {
        self.init(
            path: path, kind: finding.kind.rawValue, kernels: [], machines: finding.machines?.map(\.rawValue),
            function: finding.function, program: finding.program, section: finding.section, offset: finding.offset,
            file: finding.source?.file, line: finding.source?.line, problem: finding.problem, refusal: finding.refusal,
            since: finding.since?.description, remedy: finding.remedy)
    }

    /// As compilers say it, so that editors find it; else where in the object.
    fileprivate var place: String {
        if let file, let line { return "\(file):\(line)" }
        guard let section else { return path }
        return offset.map { "\(path): \(section)+0x\(String($0, radix: 16))" } ?? "\(path): \(section)"
    }

    fileprivate var details: [(String, String)] {
        var lines: [(String, String)] = []
        if let function {
            lines.append(("in       ", function + (program.map { $0 == function ? "" : ", for \($0)" } ?? "")))
        }
        let machine = machines.map { " on " + $0.joined(separator: ", ") } ?? ""
        lines.append(("refused  ", "by Linux \(kernels.joined(separator: ", "))\(machine)"))
        if let refusal { lines.append(("saying   ", refusal)) }
        if let since { lines.append(("accepted ", "from Linux \(since) on")) }
        lines.append(("remedy   ", remedy))
        return lines
    }
}
