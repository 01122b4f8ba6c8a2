import ELF
import Glibc
import TableCompiler
import TableStore
import UnwindTable

/// Images for what processes map: opened once a file, with a table from the store, or made for them.
final class ImageSupply {
    private let memory: ElementMemory
    private let machine: TableMachine
    private let store: TableStore?
    private let compiler: ImageCompiler
    private var byFile: [FileIdentity: MappedImage] = [:]
    /// The vDSO is the same in nearly all processes, and has no file.
    private var vdsos: [[UInt8]: MappedImage] = [:]
    private var tables: [TableSource.Key: KernelTable] = [:]
    private var nextNumber: UInt32 = 1
    /// Called with what could not be stored: profiling goes on, but the next run compiles again.
    var onProblem: (String) -> Void = { _ in }

    init(_ memory: ElementMemory, _ machine: TableMachine, _ options: KernelUnwinder.Options) {
        self.memory = memory
        self.machine = machine
        store = options.store
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
        return true
    }

    /// The image that a process maps. Never fails: what can't be used is an image without a table.
    func image(of mapping: ExecutableMapping, in process: Int32) -> MappedImage {
        let path = Self.path(of: mapping, in: process)
        var status = stat()
        guard stat(path, &status) == 0 else {
            return unusable(mapping.path, "\(mapping.path): \(String(cString: strerror(errno)))")
        }
        let identity = FileIdentity(status)
        if let known = byFile[identity] { return known }
        let image: ELFImage
        do throws(ELFError) { image = try ELFImage(path: path) } catch {
            let unusable = unusable(mapping.path, "\(mapping.path): \(error)")
            byFile[identity] = unusable
            return unusable
        }
        let found = mapped(image, name: mapping.path)
        byFile[identity] = found
        return found
    }

    /// The vDSO of a process, out of its memory.
    func vdso(_ mapping: ExecutableMapping, in process: Int32) -> MappedImage {
        let bytes = Self.memory(of: process, at: mapping.start, count: Int(clamping: mapping.end - mapping.start))
        if let known = vdsos[bytes] { return known }
        do throws(ELFError) {
            let found = mapped(try ELFImage(bytes: bytes, name: mapping.path), name: mapping.path)
            vdsos[bytes] = found
            return found
        } catch {
            return unusable(mapping.path, "\(mapping.path): \(error)")
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
    private func mapped(_ image: ELFImage, name: String) -> MappedImage {
        let found = MappedImage(name: name, image: image)
        do {
            try compiler.checkEligible(image)
            let key = try key(of: image)
            let table = try tables[key] ?? withTable(of: image, key) { view throws(KernelError) in try load(view) }
            table.users += 1
            found.table = table
        } catch {
            found.problem = "\(error)"
        }
        return found
    }

    private func load(_ view: TableView) throws(KernelError) -> KernelTable {
        guard view.machine == machine else { throw .otherMachine(view.machine.map { "\($0)" } ?? "another machine") }
        let table = KernelTable(
            key: view.key, fileBytes: view.bytes.count,
            placed: try TablePlacement.place(view, number: nextNumber, in: memory))
        nextNumber += 1
        tables[view.key] = table
        return table
    }

    private func key(of image: ELFImage) throws -> TableSource.Key {
        if let buildID = try image.tableBuildID() { return .buildID(buildID) }
        if let identity = image.identity, let known = store?.contentKey(for: identity) { return .content(known) }
        let key = try image.tableKey()
        if let identity = image.identity, case .content(let bytes) = key { _ = store?.remember(bytes, for: identity) }
        return key
    }

    /// A proved table of the image, from the store or compiled, and stored then.
    private func withTable<Value>(
        of image: ELFImage, _ key: TableSource.Key, _ body: (TableView) throws(KernelError) -> Value
    ) throws -> Value {
        // What can't be proved is as good as absent: it is made again.
        if let stored = try? store?.current(key: key, options: compiler.options),
            let view = try? TableVerifier.verify(stored.bytes) {
            return try withExtendedLifetime(stored) { try body(view) }
        }
        let bytes = try compiler.compile(image, key: key).built.table
        let view = try TableVerifier.verify(bytes)
        do {
            try store?.insert(bytes, key: key)
        } catch {
            onProblem("\(image.name): its table could not be kept: \(error)")
        }
        return try withExtendedLifetime(compiler) { try body(view) }
    }

    private func unusable(_ name: String, _ problem: String) -> MappedImage {
        let image = MappedImage(name: name, image: nil)
        image.problem = problem
        return image
    }

    /// Where a mapped file can be opened: in the process's own file system, or, if its name is gone, through the mapping.
    private static func path(of mapping: ExecutableMapping, in process: Int32) -> String {
        if !mapping.isDeleted {
            let path = "/proc/\(process)/root\(mapping.path)"
            var status = stat()
            // Another file may have taken the name.
            if stat(path, &status) == 0, status.st_ino == mapping.inode { return path }
        }
        let range = String(mapping.start, radix: 16) + "-" + String(mapping.end, radix: 16)
        return "/proc/\(process)/map_files/\(range)"
    }

    /// Bytes of a process's memory; fewer if not all can be read.
    private static func memory(of process: Int32, at address: UInt64, count: Int) -> [UInt8] {
        let descriptor = open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0, let offset = off_t(exactly: address) else { return [] }
        defer { close(descriptor) }
        let limit = 1 << 20
        return [UInt8](unsafeUninitializedCapacity: min(count, limit)) { buffer, filled in
            filled = max(0, pread(descriptor, buffer.baseAddress, buffer.count, offset))
        }
    }
}
