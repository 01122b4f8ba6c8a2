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

    private let open: (Int32) throws(ProcessError) -> PerfMapFile?
    private var states: [Int32: State] = [:]
    private var owners: [(process: Int32, file: PerfMapFile)] = []
    /// Problems with files, in words, each once.
    private(set) var problems: [String] = []

    /// Processes with files, which are kept open.
    private static let ownerLimit = 256
    /// How long a process without a file isn't asked again, in nanoseconds.
    private static let patience: UInt64 = 1_000_000_000

    init(open: @escaping (Int32) throws(ProcessError) -> PerfMapFile? = { _ in nil }) { self.open = open }

    /// The number of a process that names its code; nil if it doesn't, as far as is known.
    ///
    /// - Parameter time: of the sample.
    mutating func owner(_ process: Int32, at time: UInt64) -> Int? {
        switch states[process] {
        case .named(let owner): return owner
        case .unnamed(let checked) where time < checked + Self.patience: return nil
        default: break
        }
        let owner = find(process)
        states[process] = owner.map { .named(owner: $0) } ?? .unnamed(time)
        return owner
    }

    private mutating func find(_ process: Int32) -> Int? {
        do throws(ProcessError) {
            guard let file = try open(process) else { return nil }
            // It was forgotten meanwhile.
            if let known = owners.firstIndex(where: { $0.process == process && $0.file.began == file.began }) {
                return known
            }
            guard owners.count < Self.ownerLimit else {
                note("more than \(Self.ownerLimit) processes name generated code; the code of others has no names")
                return nil
            }
            owners.append((process, file))
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

    /// The names of places, by place, and problems with reading them.
    func names(of places: some Sequence<Place>) -> (names: [Place: String], problems: [String]) {
        var byOwner: [Int: [Place]] = [:]
        for place in places { byOwner[place.owner, default: []].append(place) }
        var found: (names: [Place: String], problems: [String]) = ([:], [])
        for (owner, places) in byOwner.sorted(by: { $0.key < $1.key }) {
            let file = latest(owner)
            let addresses = Set(places.map(\.address)).sorted()
            let map = PerfMap(file.file, name: "\(file.name) of process \(owners[owner].process)", addresses: addresses)
            if let problem = map.problem { found.problems.append(problem) }
            let names = Dictionary(uniqueKeysWithValues: zip(addresses, map.names))
            for place in places { if let name = names[place.address] ?? nil { found.names[place] = name } }
        }
        return found
    }

    /// The file that a process has now; if it has ended, the last one that is known.
    private func latest(_ owner: Int) -> PerfMapFile {
        let known = owners[owner]
        guard let file = try? open(known.process), file.began == known.file.began else { return known.file }
        return file
    }
}
