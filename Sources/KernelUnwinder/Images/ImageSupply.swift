import ELF
import Files
import Glibc
import LinuxProcess
import Synchronization
import TableCompiler
import TableStore
import Threads
import UnwindTable

/// Images for what processes map: opened once a file, with a table from the store, or made for them.
final class ImageSupply {
    private let memory: ElementMemory
    private let machine: TableMachine
    private let store: TableStore?
    /// What was compiled for the process at hand, and is to be stored; with the images' names.
    private let batch: TableBatch?
    private var compiled: [TableSource.Key: String] = [:]
    private var storeIsBroken = false
    private let compiler: ImageCompiler
    private var byFile: [FileIdentity: MappedImage] = [:]
    /// The vDSO is the same in nearly all processes, and has no file.
    private var vdsos: [[UInt8]: MappedImage] = [:]
    private var tables: [TableSource.Key: KernelTable] = [:]
    /// Those that somebody vouched for.
    private var added: Set<TableSource.Key> = []
    private var numbers = Numbers()
    private var prepared: [FileIdentity: PreparedImage] = [:]
    /// What was found of the files of the process at hand.
    private var files: [FileNumber: MappedFile] = [:]
    /// Called with what could not be stored: profiling goes on, but the next run compiles again.
    var onProblem: (String) -> Void = { _ in }

    init(_ memory: ElementMemory, _ machine: TableMachine, _ options: KernelUnwinder.Options) {
        self.memory = memory
        self.machine = machine
        store = options.store
        batch = options.store.map(TableBatch.init)
        compiler = ImageCompiler(debugFiles: options.debugFiles, threads: options.threads)
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

    /// Opens the files of mappings and proves their tables, several at a time, as far as they are not known yet: most
    /// of what it takes to add a process.
    func prepare(_ mappings: [ExecutableMapping], of process: Int32) {
        var work: [MappedFile] = []
        for mapping in mappings where mapping.isFile && files[mapping.file] == nil {
            guard let file = MappedFile(mapping, in: process) else { continue }
            files[mapping.file] = file
            if byFile[file.identity] == nil { work.append(file) }
        }
        guard work.count > 1, compiler.threads > 1 else { return }
        let (all, store, options, debugFiles) = (work, store, compiler.options, compiler.debugFiles)
        let next = Atomic(0)
        let found = Mutex<[FileIdentity: PreparedImage]>([:])
        Threads.perform(min(compiler.threads, all.count)) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < all.count else { return }
                guard let image = try? all[index].image() else { continue }
                let one = PreparedImage(image, store, options, debugFiles)
                found.withLock { $0[all[index].identity] = one }
            }
        }
        prepared = found.withLock { $0 }
    }

    /// Stores what was compiled since, and forgets what was prepared and not mapped after all.
    func finishProcess() {
        prepared = [:]
        files = [:]
        guard !compiled.isEmpty, let batch else { return }
        for (key, failure) in batch.flush() { reportNotKept(compiled[key] ?? "", failure) }
        compiled = [:]
    }

    /// Where the store takes nothing at all that is said once.
    private func reportNotKept(_ name: String, _ failure: any Error) {
        if storeIsBroken { return }
        do {
            try store?.checkIsWritable()
            onProblem("\(name): its table could not be stored: \(failure)")
        } catch {
            storeIsBroken = true
            onProblem("tables could not be stored: \(error)")
        }
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
        let image: PreparedImage
        do throws(ELFError) {
            if let known = prepared[identity] {
                image = known
            } else {
                image = PreparedImage(try file.image(), store, compiler.options, compiler.debugFiles)
            }
        } catch {
            let unusable = unusable(mapping.path, "\(error)")
            // Of a path that leads elsewhere by now, nothing is learnt of this file.
            if error.kind != .isAnotherFile { byFile[identity] = unusable }
            return unusable
        }
        let found = mapped(image, name: mapping.path)
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
            let found = mapped(
                PreparedImage(image, store, compiler.options, compiler.debugFiles), name: mapping.path)
            vdsos[bytes] = found
            return found
        } catch {
            return unusable(mapping.path, "\(error)")
        }
    }

    /// Forgets images that no process maps any more, and takes back their tables.
    func dropUnused() {
        byFile = byFile.filter { !dropIfUnused($0.value) }
        vdsos = vdsos.filter { !dropIfUnused($0.value) }
    }

    private func dropIfUnused(_ image: MappedImage) -> Bool {
        guard image.users == 0 else { return false }
        if let table = image.table {
            image.table = nil
            table.users -= 1
            if table.users == 0 {
                tables[table.key] = nil
                table.takeBack(memory)
            }
        }
        return true
    }

    /// Files with the same key have the same table, wherever they are.
    private func mapped(_ prepared: PreparedImage, name: String) -> MappedImage {
        let found = MappedImage(name: name, image: prepared.image)
        do {
            let key = try prepared.key.get()
            let table =
                try tables[key] ?? addedTable(for: prepared)
                ?? withTable(of: prepared, key) { view throws(KernelError) in try load(view) }
            table.users += 1
            found.table = table
        } catch {
            found.problem = "\(error)"
        }
        return found
    }

    /// A table that was added for the content of an image, which isn't shared by that where others can write the file.
    private func addedTable(for prepared: PreparedImage) throws -> KernelTable? {
        if added.isEmpty { return nil }
        let key = try prepared.input.contentKey()
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

    /// A proved table of the image, from the store or compiled, and stored then.
    private func withTable<Value>(
        of prepared: PreparedImage, _ key: TableSource.Key, _ body: (TableView) throws(KernelError) -> Value
    ) throws -> Value {
        if let view = prepared.storedView { return try withExtendedLifetime(prepared) { try body(view) } }
        let bytes = try compiler.compile(prepared.input, key: key).built.table
        let view = try TableVerifier.verify(bytes)
        do {
            try batch?.insert(bytes, key: key)
            compiled[key] = prepared.image.name
        } catch {
            reportNotKept(prepared.image.name, error)
        }
        return try withExtendedLifetime(compiler) { try body(view) }
    }

    private func unusable(_ name: String, _ problem: String) -> MappedImage {
        let image = MappedImage(name: name, image: nil)
        image.problem = problem
        return image
    }

    /// Why the file of a mapping can't be found, and what would help.
    private static func problem(_ code: Int32, _ mapping: ExecutableMapping, _ process: Int32) -> String {
        let text = String(cString: strerror(code))
        guard code == EACCES || code == EPERM else { return text }
        // Who may follow links of the process lacks what its mappings need besides.
        let mayTrace = access("/proc/\(process)/exe", F_OK) == 0
        return "\(text): \(mayTrace ? MappedFile.neededForMappings : "CAP_SYS_PTRACE is missing")"
    }
}
