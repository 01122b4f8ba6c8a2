import CUnwindTable
import ELF
import Files
import Glibc
import LinuxProcess
import Synchronization
import TableSupply
import Threads
import UnwindTable

/// The images that processes map. Opens each file once and loads its table once.
final class MappedImages {
    private let memory: ElementMemory
    let tables: KernelTables
    private let supply: any TableSupply
    private var byFile: [FileIdentity: MappedImage] = [:]
    /// By contents: the vDSO has no file, and is the same in nearly all processes.
    private var vdsos: [[UInt8]: MappedImage] = [:]
    /// Keys of the tables that the user added.
    private var added: Set<TableSource.Key> = []
    /// Requests for tables of the process that is being read, made in advance.
    private var requests: [FileIdentity: any TableRequest] = [:]
    /// The files of the process that is being read.
    private var files: [FileNumber: MappedFile] = [:]
    private let queue: TableQueue
    /// Images whose tables are being made, by number.
    private var pending: [UInt32: MappedImage] = [:]
    private var pendingNumbers = Numbers()
    /// Evicted tables that are being read again, by number.
    private var coming: [UInt32: KernelTable] = [:]
    /// Called with the description of a problem that doesn't stop the unwinder.
    var onProblem: (String) -> Void = { _ in }

    init(_ memory: ElementMemory, _ machine: TableMachine, _ supply: any TableSupply) {
        self.memory = memory
        self.supply = supply
        tables = KernelTables(memory, machine)
        queue = TableQueue(supply)
    }

    /// Readable when a table was made; -1 if it can't be polled.
    var descriptor: Int32 { queue.descriptor }

    func close() { queue.close() }

    /// The number of images whose tables are being made.
    var pendingCount: Int { pending.count }

    /// How requests for tables have been answered; nil if the supply doesn't count them.
    var answers: SupplyAnswers? { supply.answers }

    func placedRanges(of key: TableSource.Key) -> [PlacedRange] { tables[key]?.ranges ?? [] }

    /// Loads a table and keeps it for all images with its key.
    ///
    /// - Returns: whether it wasn't loaded before.
    func add(_ view: TableView) throws(KernelError) -> Bool {
        if tables[view.key] != nil { return false }
        try tables.load(view, stays: true).users += 1
        added.insert(view.key)
        return true
    }

    /// Opens the mapped files and requests their tables, on several threads, unless they are known. This takes most of
    /// the time of adding a process.
    func prepare(_ mappings: [ExecutableMapping], of process: Int32) {
        var work: [MappedFile] = []
        for mapping in mappings where mapping.isFile && files[mapping.file] == nil {
            guard let file = MappedFile(mapping, in: process) else { continue }
            files[mapping.file] = file
            if byFile[file.identity] == nil { work.append(file) }
        }
        guard work.count > 1, supply.threads > 1 else { return }
        let all = work
        requests = requestAll(all.count) { try? all[$0].image() }
    }

    /// Requests the tables of files on several threads, which open them by their numbers.
    private func requestAll(
        _ count: Int, _ open: @Sendable (Int) -> ELFImage?
    ) -> [FileIdentity: any TableRequest] {
        let supply = supply
        let found = Mutex<[FileIdentity: any TableRequest]>([:])
        Threads.perform(count, threads: supply.threads) { index in
            guard let image = open(index), let identity = image.identity else { return }
            let request = supply.request(image)
            found.withLock { $0[identity] = request }
        }
        return found.withLock { $0 }
    }

    /// Requests the tables of files that will be mapped soon. Those that exist are loaded, and the others made, before those
    /// that nobody waits for.
    ///
    /// - Parameters:
    ///   - files: with their paths as names; not used any more by the caller.
    ///   - deadline: tables that are not requested by then are left for when the file is mapped.
    /// - Returns: the images, each with a user, whom the caller removes.
    func expect(_ files: [ELFImage], until deadline: ContinuousClock.Instant) -> [MappedImage] {
        let new = files.filter { file in file.identity.map { byFile[$0] == nil } ?? false }
        // Each is used by one thread at a time.
        nonisolated(unsafe) let all = new
        let requests = requestAll(all.count) { ContinuousClock.now < deadline ? all[$0] : nil }
        for file in new {
            guard let identity = file.identity, let request = requests[identity] else { continue }
            byFile[identity] = mapped(request, name: file.name, waitsForTables: false, isAwaited: true)
        }
        let expected = files.compactMap { $0.identity.flatMap { byFile[$0] } }
        for image in expected { image.users += 1 }
        return expected
    }

    /// Drops the requests for a process whose images all have been read.
    ///
    /// - Parameter waitsForTables: as of ``image(of:in:waitsForTables:)``.
    func finishProcess(waitsForTables: Bool) {
        requests = [:]
        files = [:]
        // The supply is used by another thread, which finishes its own requests, and would have to be waited for.
        if waitsForTables { for problem in supply.finish() { onProblem(problem) } }
    }

    /// Loads the tables that were made meanwhile, and those that were read again.
    ///
    /// - Returns: the images that were pending and no longer are.
    func takeMadeTables() -> [MappedImage] {
        let (made, problems) = queue.take()
        for problem in problems { onProblem(problem) }
        var again: [(table: KernelTable, read: ProvedTable)] = []
        let images = made.compactMap { made -> MappedImage? in
            if let table = coming.removeValue(forKey: made.number) {
                if let read = try? made.table.get() { again.append((table, read)) } else { table.isComing = false }
                return nil
            }
            guard let image = pending.removeValue(forKey: made.number) else { return nil }
            image.pendingNumber = nil
            give(image) {
                try made.table.get().withView { view in
                    try tables[view.key] ?? tables.load(view, worth: Double(need(of: image)))
                }
            }
            return image
        }
        tables.reload(again)
        return images
    }

    /// Has tables read again that were evicted and are needed more than others, and those made first that are missed most.
    ///
    /// - Parameter processes: the images of processes with missing tables.
    func review(at now: UInt64, _ processes: some Sequence<[MappedImage]>) {
        orderQueue(processes)
        for table in tables.review(at: now) {
            guard let image = image(with: table), let file = try? image.image?.another() else {
                table.isComing = false
                continue
            }
            let number = pendingNumbers.next()
            coming[number] = table
            // Only the other thread uses this image.
            nonisolated(unsafe) let own = file
            let supply = supply
            queue.add(number, need: UInt32(clamping: Int(table.use.amount)), isSampled: true) { supply.request(own) }
        }
    }

    private func image(with table: KernelTable) -> MappedImage? {
        byFile.values.first { $0.table === table } ?? vdsos.values.first { $0.table === table }
    }

    /// How many walks ended there for want of its table.
    private func need(of image: MappedImage) -> UInt32 {
        image.needSpan.map { memory.head($0.place).pointee.uses } ?? 0
    }

    private func orderQueue(_ processes: some Sequence<[MappedImage]>) {
        var sampled: Set<UInt32> = []
        // A process whose walks end for want of one table will miss the others next.
        for images in processes where images.contains(where: { need(of: $0) > 0 }) {
            sampled.formUnion(images.compactMap(\.pendingNumber))
        }
        for number in sampled {
            guard let image = pending[number] else { continue }
            let need = need(of: image)
            if image.toldNeed != need { queue.set(number, need: need, isSampled: true) }
            image.toldNeed = need
        }
    }

    /// The image of a mapping. Never fails: for a file that can't be used, it is an image without a table.
    ///
    /// - Parameter waitsForTables: whether to make a table that doesn't exist at once, or to have it made on another
    ///   thread (``takeMadeTables()``).
    func image(of mapping: ExecutableMapping, in process: Int32, waitsForTables: Bool) -> MappedImage {
        guard let file = files[mapping.file] ?? MappedFile(mapping, in: process) else {
            let code = errno
            return unusable(
                mapping.path, Self.problem(code, mapping, process), isGone: Self.isGone(process, whenOpeningGave: code))
        }
        let identity = file.identity
        if !file.isCertain, !ProcessMemory(of: process).has(file, mapping) {
            return unusable(
                mapping.path,
                "the file at that path is not the mapped one, and the mapping can't be opened: "
                    + MappedFile.neededForMappings)
        }
        if let known = byFile[identity] { return waitsForTables ? makingNow(known) : known }
        let request: any TableRequest
        do throws(ELFError) {
            request = if let known = requests[identity] { known } else { supply.request(try file.image()) }
        } catch {
            switch error.kind {
            // The path now leads to another file, or to none: the error says nothing about this one.
            case .isAnotherFile: return unusable(mapping.path, "\(error)")
            case .cannotOpen(let code):
                return unusable(mapping.path, "\(error)", isGone: Self.isGone(process, whenOpeningGave: code))
            default:
                let unusable = unusable(mapping.path, "\(error)")
                byFile[identity] = unusable
                return unusable
            }
        }
        let found = mapped(request, name: mapping.path, waitsForTables: waitsForTables)
        byFile[identity] = found
        return found
    }

    /// The vDSO of a process, read from its memory.
    func vdso(_ mapping: ExecutableMapping, in process: Int32, waitsForTables: Bool) -> MappedImage {
        let bytes = ProcessMemory(of: process)
            .bytes(at: mapping.start, count: Int(clamping: mapping.end - mapping.start))
        if let known = vdsos[bytes] { return waitsForTables ? makingNow(known) : known }
        do throws(ELFError) {
            let image = try ELFImage(bytes: bytes, name: mapping.path)
            let found = mapped(supply.request(image), name: mapping.path, waitsForTables: waitsForTables)
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
        if let number = image.pendingNumber {
            pending[number] = nil
            queue.drop(number)
        }
        if let span = image.needSpan { memory.retire([span]) }
        image.needSpan = nil
        if let table = image.table {
            image.table = nil
            table.users -= 1
            if table.users == 0 { tables.retire(table) }
        }
        return true
    }

    /// The image with its table, shared with all files that have the same key; or with a table that will be made.
    ///
    /// - Parameter isAwaited: whether a table that has to be made is one of those that samples will need first.
    private func mapped(
        _ request: any TableRequest, name: String, waitsForTables: Bool, isAwaited: Bool = false
    ) -> MappedImage {
        // The other thread reads the request's image, and this one reads its own meanwhile.
        if !waitsForTables, !request.isFound, !isLoaded(request), let image = try? request.image.another() {
            let found = MappedImage(name: name, image: image)
            let number = pendingNumbers.next()
            found.pendingNumber = number
            pending[number] = found
            let words = MemoryLayout<cfic_loaded_range>.size / 4
            found.needSpan = try? memory.allocate(words: words, alignment: words)
            queue.add(number, need: 0, isSampled: isAwaited) { request }
            return found
        }
        // What is read for the table goes with the request.
        let found = MappedImage(name: name, image: (try? request.image.another()) ?? request.image)
        make(request, for: found)
        return found
    }

    /// An image whose table the caller waits for, although it is already in the queue.
    private func makingNow(_ image: MappedImage) -> MappedImage {
        guard let number = image.pendingNumber, let file = image.image else { return image }
        pending[number] = nil
        queue.drop(number)
        image.pendingNumber = nil
        make(supply.request(file), for: image)
        return image
    }

    /// Whether nothing has to be made for the request: its table is loaded, or it gets none.
    private func isLoaded(_ request: any TableRequest) -> Bool {
        guard let key = try? request.key.get() else { return true }
        return tables[key] != nil || (try? addedTable(for: request)) != nil
    }

    private func make(_ request: any TableRequest, for image: MappedImage) {
        give(image) {
            try tables[request.key.get()] ?? addedTable(for: request) ?? request.withTable { try tables.load($0) }
        }
    }

    /// Gives an image its table, or the reason why it has none.
    private func give(_ image: MappedImage, _ table: () throws -> KernelTable) {
        do {
            let table = try table()
            table.users += 1
            image.table = table
        } catch {
            image.problem = "\(error)"
        }
    }

    /// The table that the user added for the image's contents. If others can write the file, its key is not that of its
    /// contents.
    private func addedTable(for request: any TableRequest) throws -> KernelTable? {
        if added.isEmpty { return nil }
        let key = try request.contentKey()
        return added.contains(key) ? tables[key] : nil
    }

    private func unusable(_ name: String, _ problem: String, isGone: Bool = false) -> MappedImage {
        let image = MappedImage(name: name, image: nil)
        image.problem = problem
        image.isGone = isGone
        return image
    }

    /// Whether a file couldn't be opened because its process has ended; a zombie has no executable.
    private static func isGone(_ process: Int32, whenOpeningGave code: Int32) -> Bool {
        (code == ENOENT || code == ESRCH) && access("/proc/\(process)/exe", F_OK) != 0
    }

    /// Why a mapped file can't be opened, and which permission is missing.
    private static func problem(_ code: Int32, _ mapping: ExecutableMapping, _ process: Int32) -> String {
        let text = systemMessage(code)
        guard code == EACCES || code == EPERM else { return text }
        // If links of the process can be followed, only the permission for its mappings is missing.
        let mayTrace = access("/proc/\(process)/exe", F_OK) == 0
        return "\(text): \(mayTrace ? MappedFile.neededForMappings : "CAP_SYS_PTRACE is missing")"
    }
}
