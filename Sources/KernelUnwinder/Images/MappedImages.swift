import ELF
import Files
import Glibc
import LinuxProcess
import Synchronization
import TableSupply
import Threads
import UnwindTable

/// The images that processes map: each file is opened once, and its table is loaded once.
final class MappedImages {
    private let memory: ElementMemory
    private let machine: TableMachine
    private let supply: any TableSupply
    private var byFile: [FileIdentity: MappedImage] = [:]
    /// The vDSO is the same in nearly all processes, and has no file.
    private var vdsos: [[UInt8]: MappedImage] = [:]
    private var tables: [TableSource.Key: KernelTable] = [:]
    /// Those that somebody vouched for.
    private var added: Set<TableSource.Key> = []
    private var numbers = Numbers()
    /// Requests for the tables of the process that is being read.
    private var requests: [FileIdentity: any TableRequest] = [:]
    /// The files of the process that is being read.
    private var files: [FileNumber: MappedFile] = [:]
    /// Called with problems that don't end anything, in words.
    var onProblem: (String) -> Void = { _ in }

    init(_ memory: ElementMemory, _ machine: TableMachine, _ supply: any TableSupply) {
        self.memory = memory
        self.machine = machine
        self.supply = supply
    }

    /// Tables that are loaded.
    var tableCount: Int { tables.count }

    /// Bytes of their files.
    var fileBytes: Int { tables.values.reduce(0) { $0 + $1.fileBytes } }

    func placedRanges(of key: TableSource.Key) -> [PlacedTable.Range] { tables[key]?.placed.ranges ?? [] }

    /// Loads a table, to be kept for whatever image has its key.
    ///
    /// - Returns: whether it wasn't there yet.
    func add(_ view: TableView) throws(KernelError) -> Bool {
        if tables[view.key] != nil { return false }
        try load(view).users += 1
        added.insert(view.key)
        return true
    }

    /// Opens the files of mappings and requests their tables, on several threads, unless they are known: most of the
    /// time that it takes to add a process.
    func prepare(_ mappings: [ExecutableMapping], of process: Int32) {
        var work: [MappedFile] = []
        for mapping in mappings where mapping.isFile && files[mapping.file] == nil {
            guard let file = MappedFile(mapping, in: process) else { continue }
            files[mapping.file] = file
            if byFile[file.identity] == nil { work.append(file) }
        }
        guard work.count > 1, supply.threads > 1 else { return }
        let (all, supply) = (work, supply)
        let found = Mutex<[FileIdentity: any TableRequest]>([:])
        Threads.perform(all.count, threads: supply.threads) { index in
            guard let image = try? all[index].image() else { return }
            let request = supply.request(image)
            found.withLock { $0[all[index].identity] = request }
        }
        requests = found.withLock { $0 }
    }

    /// Forgets the requests for the process that was read: images that it maps have their tables.
    func finishProcess() {
        requests = [:]
        files = [:]
        for problem in supply.finish() { onProblem(problem) }
    }

    /// The image that a process maps. Never fails: what can't be used is an image without a table.
    func image(of mapping: ExecutableMapping, in process: Int32) -> MappedImage {
        guard let file = files[mapping.file] ?? MappedFile(mapping, in: process) else {
            return unusable(mapping.path, Self.problem(errno, mapping, process))
        }
        let identity = file.identity
        if !file.isCertain, !ProcessMemory(of: process).has(file, mapping) {
            return unusable(
                mapping.path,
                "the file at that path is not the mapped one, and the mapping can't be opened: "
                    + MappedFile.neededForMappings)
        }
        if let known = byFile[identity] { return known }
        let request: any TableRequest
        do throws(ELFError) {
            request = if let known = requests[identity] { known } else { supply.request(try file.image()) }
        } catch {
            let unusable = unusable(mapping.path, "\(error)")
            // Of a path that leads elsewhere by now, nothing is learnt of this file.
            if error.kind != .isAnotherFile { byFile[identity] = unusable }
            return unusable
        }
        let found = mapped(request, name: mapping.path)
        byFile[identity] = found
        return found
    }

    /// The vDSO of a process, out of its memory.
    func vdso(_ mapping: ExecutableMapping, in process: Int32) -> MappedImage {
        let bytes = ProcessMemory(of: process)
            .bytes(at: mapping.start, count: Int(clamping: mapping.end - mapping.start))
        if let known = vdsos[bytes] { return known }
        do throws(ELFError) {
            let image = try ELFImage(bytes: bytes, name: mapping.path)
            let found = mapped(supply.request(image), name: mapping.path)
            vdsos[bytes] = found
            return found
        } catch {
            return unusable(mapping.path, "\(error)")
        }
    }

    /// Removes images that no published or superseded mappings are of, and retires their tables.
    func retireUnused() {
        byFile = byFile.filter { !retireIfUnused($0.value) }
        vdsos = vdsos.filter { !retireIfUnused($0.value) }
    }

    private func retireIfUnused(_ image: MappedImage) -> Bool {
        guard image.users == 0 else { return false }
        if let table = image.table {
            image.table = nil
            table.users -= 1
            if table.users == 0 {
                tables[table.key] = nil
                table.retire(memory)
            }
        }
        return true
    }

    /// Files with the same key have the same table, wherever they are.
    private func mapped(_ request: any TableRequest, name: String) -> MappedImage {
        let found = MappedImage(name: name, image: request.image)
        do {
            let table =
                try tables[request.key.get()] ?? addedTable(for: request) ?? request.withTable { try load($0) }
            table.users += 1
            found.table = table
        } catch {
            found.problem = "\(error)"
        }
        return found
    }

    /// The table that was added for the image's content. The image of a file that others can write has another key.
    private func addedTable(for request: any TableRequest) throws -> KernelTable? {
        if added.isEmpty { return nil }
        let key = try request.contentKey()
        return added.contains(key) ? tables[key] : nil
    }

    private func load(_ view: TableView) throws(KernelError) -> KernelTable {
        guard view.machine == machine else { throw .otherMachine("\(view.machine)") }
        let table = KernelTable(
            key: view.key, fileBytes: view.bytes.count,
            placed: try TablePlacement.place(view, &numbers, in: memory))
        tables[view.key] = table
        return table
    }

    private func unusable(_ name: String, _ problem: String) -> MappedImage {
        let image = MappedImage(name: name, image: nil)
        image.problem = problem
        return image
    }

    /// Why the file of a mapping can't be found, and what would help.
    private static func problem(_ code: Int32, _ mapping: ExecutableMapping, _ process: Int32) -> String {
        let text = systemMessage(code)
        guard code == EACCES || code == EPERM else { return text }
        // Who may follow links of the process lacks what its mappings need besides.
        let mayTrace = access("/proc/\(process)/exe", F_OK) == 0
        return "\(text): \(mayTrace ? MappedFile.neededForMappings : "CAP_SYS_PTRACE is missing")"
    }
}
