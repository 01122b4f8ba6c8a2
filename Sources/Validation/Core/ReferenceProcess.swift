import CLibdw
import ELF
import Glibc
import Synchronization
import UnwindTable

/// A core dump in libdwfl, which finds its threads and unwinds them.
final class ReferenceProcess {
    /// The kernel's own limit.
    private static let threadLimit = 1 << 22

    /// libdwfl counts a core's segments in a variable shared by all sessions (core_memory_read). If two sessions ran at
    /// once, one of them could miss memory.
    private static let reading = Mutex(())

    private let session: ReferenceSession
    private let machine: TableMachine
    private let modules: [CoreModule]

    /// - Parameter modules: libdwfl gets the same files as we use, and searches for none itself.
    init(_ core: CoreFile, _ modules: [CoreModule], _ machine: TableMachine) throws(ReferenceSession.Failure) {
        self.machine = machine
        self.modules = modules
        session = try ReferenceSession(modules.map(\.forReference), name: core.path)
        guard let elf = elf_begin(core.descriptor, ELF_C_READ, nil) else {
            throw .init(name: core.path, message: LibdwFile.text(elf_errmsg(-1)))
        }
        session.elf = elf
        guard dwfl_core_file_attach(session.session, elf) >= 0 else {
            throw .init(name: core.path, message: LibdwFile.text(dwfl_errmsg(-1)))
        }
    }

    /// All threads, with their frames.
    func threads() -> [ReferenceStack] {
        Self.reading.withLock { _ in unwoundThreads() }
    }

    private func unwoundThreads() -> [ReferenceStack] {
        final class Collection {
            var threads: [ReferenceStack] = []
            var current = ReferenceStack(id: 0)
            let machine: TableMachine
            init(_ machine: TableMachine) { self.machine = machine }
        }
        let collection = Collection(machine)
        dwfl_getthreads(
            session.session,
            { thread, context in
                guard let thread, let context else { return Int32(DWARF_CB_ABORT) }
                let collection = Unmanaged<Collection>.fromOpaque(context).takeUnretainedValue()
                collection.current = ReferenceStack(id: dwfl_thread_tid(thread))
                let status = dwfl_thread_getframes(
                    thread,
                    { frame, context in
                        guard let frame, let context else { return Int32(DWARF_CB_ABORT) }
                        let collection = Unmanaged<Collection>.fromOpaque(context).takeUnretainedValue()
                        return collection.current.append(frame, collection.machine)
                    }, context)
                if status < 0 { collection.current.problem = LibdwFile.text(dwfl_errmsg(-1)) }
                collection.threads.append(collection.current)
                return Int32(collection.threads.count < ReferenceProcess.threadLimit ? DWARF_CB_OK : DWARF_CB_ABORT)
            }, Unmanaged.passUnretained(collection).toOpaque())
        return withExtendedLifetime(collection) { collection.threads }
    }
}

extension CoreModule {
    /// The same files for libdwfl.
    fileprivate var forReference: ReferenceModule {
        let debugImage = table?.sources.debugImage
        return ReferenceModule(
            name: image.name, range: range, memory: memory, path: image.name,
            debugPath: debugImage?.memoryBytes == nil ? debugImage?.name : nil)
    }
}
