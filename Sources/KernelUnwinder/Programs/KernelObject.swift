import CLibbpf
import CLinux
import CUnwindTable
import Glibc
import UnwindTable

/// The loaded BPF programs and their maps. Closed with the last reference; nothing is pinned.
final class KernelObject {
    private let object: OpaquePointer
    /// The verifier's log of each loaded BPF program.
    let verified: [VerifiedProgram]

    /// The BPF programs of a file that are loaded together. Programs of different parts may interrupt one another, so
    /// each part has a state of its own for walks, and counters.
    struct Part: Sendable {
        /// Whether it has the BPF program of this name, without the machine.
        var hasProgram: @Sendable (String) -> Bool
        /// The maps that it doesn't share with the part before; nil for the first part.
        var ownMaps: Set<String>?

        /// Samples threads that run, and follows processes.
        static func sampling(_ options: KernelUnwinder.Options) -> Part {
            let isTracepoint = options.tracepointPeriod != nil
            let program = isTracepoint ? KernelUnwinder.tracepointProgram : KernelUnwinder.eventProgram
            let lookup = options.lookupMachine.map { "look_up_\($0.programSuffix)" }
            return Part(hasProgram: {
                $0.hasPrefix("follow") || $0 == program || options.batches && isBatch($0) || $0 == lookup
            })
        }
        /// Samples threads that wait.
        static let waits = Part(hasProgram: { $0 == "off_cpu" }, ownMaps: walkMaps.union(waitMaps))

        static func isBatch(_ name: String) -> Bool { ["look_up", "walk_stack"].contains(name) }
        /// What belongs to a walk, or to a CPU that walks. The constants are copied.
        static let walkMaps: Set<String> = ["walks", "recent_rules", "counters", ".rodata.settings"]
        /// What only BPF programs for waits use.
        static let waitMaps: Set<String> = ["waits", "wait_hints", "wait_share", "wait_rounds"]
    }

    /// - Parameters:
    ///   - options: the BPF programs' constants and the sizes of maps.
    ///   - part: what is loaded.
    ///   - first: the part that was loaded before, whose maps this one shares.
    /// - Throws: ``KernelError`` that states why the kernel, or this caller, can't load them.
    init(
        _ options: KernelUnwinder.Options, part: Part, sharing first: KernelObject? = nil
    ) throws(KernelError) {
        try LoadCheck.checkKernel()
        try LoadCheck.checkOpenFiles()
        let machine = try KernelUnwinder.hostMachine
        libbpf_set_print { _, _, _ in 0 }
        let bytes = Self.bytes
        var openOptions = bpf_object_open_opts()
        openOptions.sz = MemoryLayout<bpf_object_open_opts>.size
        let opened = "cfic_unwinder".withCString { name in
            openOptions.object_name = name
            return bytes.withUnsafeBytes { bpf_object__open_mem($0.baseAddress, $0.count, &openOptions) }
        }
        guard let opened else { throw .system("reading the programs", errno: errno) }
        // Properties are set last, after everything that can throw: otherwise `deinit` would close the object as well.
        let programs: [LoadingProgram]
        do throws(KernelError) {
            programs = try Self.prepare(opened, machine, options, part)
            try Self.selectMaps(of: opened, part, sharing: first)
            let status = bpf_object__load(opened)
            guard status == 0 else { throw LoadCheck.failure(-status, programs) }
        } catch {
            bpf_object__close(opened)
            throw error
        }
        object = opened
        verified = programs.map(\.verified)
    }

    deinit { bpf_object__close(object) }

    /// The descriptor of a map.
    func map(_ name: String) throws(KernelError) -> Int32 {
        guard let map = bpf_object__find_map_by_name(object, name) else {
            throw .system("finding the map \(name)", errno: ENOENT)
        }
        return bpf_map__fd(map)
    }

    func program(_ name: String) throws(KernelError) -> OpaquePointer {
        guard let program = bpf_object__find_program_by_name(object, name) else {
            throw .system("finding the program \(name)", errno: ENOENT)
        }
        return program
    }

    /// Selects the BPF programs of this machine and sets their constants and the sizes of maps.
    private static func prepare(
        _ object: OpaquePointer, _ machine: TableMachine, _ options: KernelUnwinder.Options, _ part: Part
    ) throws(KernelError) -> [LoadingProgram] {
        var programs: [LoadingProgram] = []
        var next = bpf_object__next_program(object, nil)
        while let program = next {
            let name = String(cString: bpf_program__name(program))
            let suffix = "_\(machine.programSuffix)"
            let isWanted = part.hasProgram(name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name)
            bpf_program__set_autoload(program, isWanted)
            if isWanted { programs.append(LoadingProgram(program, name: name)) }
            next = bpf_object__next_program(object, program)
        }
        var settings = cfic_settings(
            address_bits: perf_address_bits(), frames_max: UInt32(CFIC_FRAMES_MAX),
            kernel_frames: options.kernelFrames ? 1 : 0,
            // THREAD_SIZE: 16 KiB on both machines, or a memory page if that is larger.
            kernel_stack: UInt32(max(16384, sysconf(Int32(_SC_PAGESIZE)))),
            follow: options.followsChildren ? 1 : 0, everyone: options.samplesEveryone ? 1 : 0,
            filters: options.filter.bits, snapshot_every: UInt32(clamping: options.snapshotEvery),
            snapshot_ends: options.snapshotEnds,
            wait_minimum: options.waits?.minimum ?? 0, wait_budget: options.waits?.budget ?? 0,
            tracepoint_period: options.tracepointPeriod ?? 1)
        let rodata = bpf_object__find_map_by_name(object, ".rodata.settings")
        var status = bpf_map__set_initial_value(rodata, &settings, MemoryLayout<cfic_settings>.size)
        guard status == 0 else { throw .system("setting constants of the programs", errno: -status) }
        var sizes = [
            ("element_maps", UInt32(ElementMemory.elementLimit(budget: options.tableBudget))),
            ("processes", UInt32(clamping: options.usedProcessLimit)),
            ("samples", UInt32(clamping: options.sampleBytes)),
            ("recent_rules", UInt32(max(1, libbpf_num_possible_cpus()))),
        ]
        if options.usesSnapshots { sizes.append(("snapshots", UInt32(clamping: options.snapshotBytes))) }
        for (map, entries) in sizes + options.filter.mapSizes {
            status = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, map), entries)
            guard status == 0 else { throw .system("setting the size of the map \(map)", errno: -status) }
        }
        return programs
    }

    /// Has the object use the maps of the part before, except its own ones, and not create those that it doesn't use.
    private static func selectMaps(
        of object: OpaquePointer, _ part: Part, sharing first: KernelObject?
    ) throws(KernelError) {
        var next = bpf_object__next_map(object, nil)
        while let map = next {
            next = bpf_object__next_map(object, map)
            let name = String(cString: bpf_map__name(map))
            let isForWaits = Part.waitMaps.contains(name)
            if part.ownMaps?.contains(name) ?? !isForWaits { continue }
            if let first, !isForWaits {
                let status = bpf_map__reuse_fd(map, try first.map(name))
                guard status == 0 else { throw .system("sharing the map \(name)", errno: -status) }
            } else {
                bpf_map__set_autocreate(map, false)
            }
        }
    }

    /// The object file, decoded from base64.
    static let bytes: [UInt8] = unwinderObject.withUTF8Buffer { text in
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            guard let digit = base64Digit(character) else { break }
            bits = bits << 6 | digit
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func base64Digit(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

extension TableMachine {
    /// The suffix of the names of the machine's BPF programs.
    var programSuffix: String { "\(self)" }
}

/// A BPF program to be loaded, with the buffer for the verifier's log.
final class LoadingProgram {
    let name: String
    private let log: UnsafeMutableBufferPointer<CChar>

    /// Room for the final statistics or, if the BPF program is rejected, for the point of failure.
    private static let logSize = 1 << 16

    init(_ program: OpaquePointer, name: String) {
        self.name = name
        log = .allocate(capacity: Self.logSize)
        log.initialize(repeating: 0)
        bpf_program__set_log_buf(program, log.baseAddress, log.count)
        // Statistics only: writing the whole log of a large BPF program takes minutes on a slow machine.
        bpf_program__set_log_level(program, 4)
    }

    deinit { log.deallocate() }

    var text: String {
        String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var verified: VerifiedProgram { VerifiedProgram(name: name, log: text) }
}

/// The verifier's work for a BPF program.
public struct VerifiedProgram: Sendable {
    /// The program's name, such as `profile_x86_64`.
    public let name: String
    /// Instructions processed, of at most a million; nil if the log doesn't state it.
    public let instructions: Int?
    /// The verifier's log.
    public let log: String

    init(name: String, log: String) {
        self.name = name
        self.log = log
        // "processed N insns (limit 1000000) …"
        let words = log.split { $0 == " " || $0 == "\n" }
        instructions = words.firstIndex(of: "processed").flatMap { index in
            index + 1 < words.count ? Int(words[index + 1]) : nil
        }
    }
}
