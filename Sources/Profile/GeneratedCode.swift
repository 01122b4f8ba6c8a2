import KernelUnwinder
import LinuxProcess
import Symbols

/// Code that processes generate and name in files (docs/names.md, "Generated code"). The files are opened while the
/// processes live, and read at the end.
struct GeneratedCode {
    /// An address of generated code. Only processes that name their code have such.
    struct Place: Hashable {
        /// The number of the process: ids are reused.
        var owner: Int
        /// AVMA that is in the function: ``/KernelUnwinder/Sample/Frame/lookupAddress``.
        var address: UInt64
        /// What it is called if the process doesn't name it.
        var memory: String
    }

    private enum State {
        case named(owner: Int)
        /// It had no file at this time.
        case unnamed(UInt64)
    }

    /// Opens the files of a process.
    ///
    /// - mapped: the paths of files that it maps.
    typealias Open = (_ process: Int32, _ mapped: [String]) throws(ProcessError) -> [CodeNameFile]

    private let open: Open
    private var states: [Int32: State] = [:]
    /// Each has at least one file, all of them of one process. Of several that name an address the last one counts.
    private var owners: [(process: Int32, files: [CodeNameFile])] = []
    /// Problems with files, in words, each once.
    private(set) var problems: [String] = []

    /// Processes with files, which are kept open.
    private static let ownerLimit = 256
    /// How long a process without a file isn't asked again, in nanoseconds.
    private static let patience: UInt64 = 1_000_000_000

    init(open: @escaping Open = { _, _ in [] }) { self.open = open }

    /// The number of a process that names its code; nil if it doesn't, as far as is known.
    ///
    /// - Parameters:
    ///   - time: of the sample.
    ///   - mapped: the names of its mappings.
    mutating func owner(_ process: Int32, at time: UInt64, mapped: () -> [String]) -> Int? {
        switch states[process] {
        case .named(let owner): return owner
        case .unnamed(let checked) where time < checked + Self.patience: return nil
        default: break
        }
        let owner = find(process, mapped())
        states[process] = owner.map { .named(owner: $0) } ?? .unnamed(time)
        return owner
    }

    private mutating func find(_ process: Int32, _ mapped: [String]) -> Int? {
        do throws(ProcessError) {
            let files = try open(process, mapped)
            guard let began = files.first?.began else { return nil }
            // It was forgotten meanwhile.
            if let known = owners.firstIndex(where: { $0.process == process && $0.files[0].began == began }) {
                return known
            }
            guard owners.count < Self.ownerLimit else {
                note("more than \(Self.ownerLimit) processes name generated code; the code of others has no names")
                return nil
            }
            owners.append((process, files))
            return owners.count - 1
        } catch {
            note("\(error)")
            return nil
        }
    }

    private mutating func note(_ problem: String) {
        if problems.count < 100, !problems.contains(problem) { problems.append(problem) }
    }

    /// Forgets a process that has ended. What names its code stays open.
    mutating func end(_ process: Int32) { states[process] = nil }

    /// Forgets all processes, because the ends of some may not be known.
    mutating func forgetProcesses() { states = [:] }

    /// Forgets what belongs to processes that have ended, to go on without their samples.
    ///
    /// - Returns: the new numbers of the others, by the old ones.
    mutating func forgetEnded() -> [Int: Int] {
        var kept: [Int: Int] = [:]
        for (process, state) in states {
            guard case .named(let owner) = state else { continue }
            kept[owner] = kept[owner] ?? kept.count
            states[process] = kept[owner].map { .named(owner: $0) }
        }
        owners = kept.sorted { $0.value < $1.value }.map { owners[$0.key] }
        problems = []
        return kept
    }

    /// The names of places, by place, and problems with reading them.
    func names(of places: some Sequence<Place>) -> (names: [Place: String], problems: [String]) {
        var byOwner: [Int: [Place]] = [:]
        for place in places { byOwner[place.owner, default: []].append(place) }
        var found: (names: [Place: String], problems: [String]) = ([:], [])
        for (owner, places) in byOwner.sorted(by: { $0.key < $1.key }) {
            let addresses = Set(places.map(\.address)).sorted()
            var names: [UInt64: String] = [:]
            for file in latest(owner) {
                let read = Self.read(file, of: owners[owner].process, addresses)
                if let problem = read.problem { found.problems.append(problem) }
                for case (let address, let name?) in zip(addresses, read.names) { names[address] = name }
            }
            for place in places { if let name = names[place.address] { found.names[place] = name } }
        }
        return found
    }

    private static func read(
        _ file: CodeNameFile, of process: Int32, _ addresses: [UInt64]
    ) -> (names: [String?], problem: String?) {
        let name = "\(file.name) of process \(process)"
        switch file.kind {
        case .perfMap:
            let map = PerfMap(file.file, name: name, addresses: addresses)
            return (map.names, map.problem)
        case .jitDump:
            let dump = JITDump(file.file, name: name, addresses: addresses)
            return (dump.names, dump.problem)
        }
    }

    /// The files that a process has now; those that it doesn't have any more, and all if it has ended, as they were found.
    private func latest(_ owner: Int) -> [CodeNameFile] {
        let (process, known) = owners[owner]
        let now = (try? open(process, known.map(\.name))) ?? []
        return known.map { file in now.first { $0.name == file.name && $0.began == file.began } ?? file }
    }
}

extension GeneratedCode {
    /// The files of a process, the most precise last.
    static func openFiles(of process: Int32, mapping paths: [String]) throws(ProcessError) -> [CodeNameFile] {
        var files: [CodeNameFile] = []
        if let map = try CodeNameFile.perfMap(of: process) { files.append(map) }
        for path in Set(paths.filter(CodeNameFile.isJITDump)).sorted().prefix(4) {
            if let dump = try CodeNameFile.jitDump(mappedAs: path, by: process) { files.append(dump) }
        }
        return files
    }
}
