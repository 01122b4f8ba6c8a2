import CLibdw
import Files
import Glibc
import Synchronization
import UnwindTable

/// A core dump in libdwfl, which finds its threads and unwinds them.
final class ReferenceProcess {
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let message: String
        var description: String { "\(path): libdwfl: \(message)" }
    }

    /// The frames of a thread by libdwfl's unwinder.
    struct Thread {
        var id: Int32
        var frames: [WalkedFrame] = []
        /// The innermost frame's registers, by DWARF number.
        var registers: [UInt64] = []
        /// libdwfl's message if it couldn't continue; nil at the end of the stack.
        var problem: String?
        /// Whether unwinding was stopped at `frameLimit`.
        var isCut = false
    }

    /// More frames than any of our walks has; limits stacks that loop.
    static let frameLimit = 2048
    /// The kernel's own limit.
    private static let threadLimit = 1 << 22

    /// libdwfl counts a core's segments in a variable shared by all sessions (core_memory_read). If two sessions ran at
    /// once, one of them could miss memory.
    private static let reading = Mutex(())

    private let session: OpaquePointer
    private let elf: OpaquePointer
    private let machine: TableMachine
    private let modules: [CoreModule]
    private let callbacks: UnsafeMutablePointer<Dwfl_Callbacks>

    /// - Parameter modules: libdwfl gets the same files as we use, and searches for none itself.
    init(_ core: CoreFile, _ modules: [CoreModule], _ machine: TableMachine) throws(Failure) {
        self.machine = machine
        self.modules = modules
        _ = elf_version(UInt32(EV_CURRENT))
        guard let elf = elf_begin(core.descriptor, ELF_C_READ, nil) else {
            throw Failure(path: core.path, message: LibdwFile.text(elf_errmsg(-1)))
        }
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(
            to: Dwfl_Callbacks(
                find_elf: { _, userdata, _, _, name, elf in CoreModule.of(userdata)?.hand(name, elf) ?? -1 },
                find_debuginfo: { _, userdata, _, _, _, _, _, name in CoreModule.of(userdata)?.handDebugFile(name) ?? -1
                },
                section_address: dwfl_offline_section_address, debuginfo_path: nil))
        guard let session = dwfl_begin(callbacks) else {
            let message = LibdwFile.text(dwfl_errmsg(-1))
            elf_end(elf)
            callbacks.deallocate()
            throw Failure(path: core.path, message: message)
        }
        self.elf = elf
        self.session = session
        dwfl_report_begin(session)
        for module in modules {
            guard
                let reported = dwfl_report_module(
                    session, module.image.name, module.range.lowerBound, module.range.upperBound)
            else { throw Failure(path: core.path, message: LibdwFile.text(dwfl_errmsg(-1))) }
            var userdata: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
            dwfl_module_info(reported, &userdata, nil, nil, nil, nil, nil, nil)
            // Unretained, because `modules` keeps it alive.
            userdata?.pointee = Unmanaged.passUnretained(module).toOpaque()
        }
        guard dwfl_report_end(session, nil, nil) == 0, dwfl_core_file_attach(session, elf) >= 0 else {
            throw Failure(path: core.path, message: LibdwFile.text(dwfl_errmsg(-1)))
        }
    }

    deinit {
        dwfl_end(session)
        elf_end(elf)
        callbacks.deallocate()
    }

    /// All threads, with their frames.
    func threads() -> [Thread] {
        Self.reading.withLock { _ in unwoundThreads() }
    }

    private func unwoundThreads() -> [Thread] {
        final class Collection {
            var threads: [Thread] = []
            var current = Thread(id: 0)
            let machine: TableMachine
            init(_ machine: TableMachine) { self.machine = machine }
        }
        let collection = Collection(machine)
        dwfl_getthreads(
            session,
            { thread, context in
                guard let thread, let context else { return Int32(DWARF_CB_ABORT) }
                let collection = Unmanaged<Collection>.fromOpaque(context).takeUnretainedValue()
                collection.current = Thread(id: dwfl_thread_tid(thread))
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

extension ReferenceProcess.Thread {
    /// - Returns: libdwfl's code for whether to continue.
    fileprivate mutating func append(_ frame: OpaquePointer, _ machine: TableMachine) -> Int32 {
        guard frames.count < ReferenceProcess.frameLimit else {
            isCut = true
            return Int32(DWARF_CB_ABORT)
        }
        func register(_ number: UInt64) -> UInt64? {
            var value: UInt64 = 0
            return dwfl_frame_reg(frame, UInt32(number), &value) == 0 ? value : nil
        }
        var pc: UInt64 = 0
        var isActivation = false
        guard dwfl_frame_pc(frame, &pc, &isActivation) else { return Int32(DWARF_CB_ABORT) }
        if frames.isEmpty { registers = (0...machine.lastRegister).map { register($0) ?? 0 } }
        frames.append(
            WalkedFrame(
                pc: pc, stackPointer: register(machine.stackPointer) ?? 0, framePointer: register(machine.framePointer),
                isExact: isActivation))
        return Int32(DWARF_CB_OK)
    }
}

extension CoreModule {
    fileprivate static func of(_ userdata: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> CoreModule? {
        userdata?.pointee.map { Unmanaged<CoreModule>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Gives libdwfl this module's image: returns an open descriptor, or sets an image in memory and returns −1.
    fileprivate func hand(
        _ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ elf: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        name?.pointee = image.name.withPath { strdup($0) }
        if let memory { elf?.pointee = elf_memory(memory.baseAddress, memory.count) }
        return memory == nil ? image.name.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) } : -1
    }

    fileprivate func handDebugFile(_ name: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
        guard let debugImage = table?.sources.debugImage, debugImage.memoryBytes == nil else { return -1 }
        name?.pointee = debugImage.name.withPath { strdup($0) }
        return debugImage.name.withPath { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    }
}
