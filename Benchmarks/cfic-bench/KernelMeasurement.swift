import CUnwindTable
import CallChain
import ELF
import Glibc
import KernelUnwinder
import TableCompiler
import TableStore
import UnwindTable

/// The cost of the BPF programs on this machine's kernel. Times are in seconds, one sample per round.
struct KernelMeasurement {
    /// The name of the file whose table is used for lookups.
    let table: String
    /// 64 pcs again and again.
    var hot: [Double] = []
    /// 1,024 random pcs again and again: twice as many as the cache of recent rules holds.
    var random: [Double] = []
    /// The same, but each lookup depends on the previous one.
    var chained: [Double] = []
    /// 4,096 random pcs, whose records don't fit a second-level cache.
    var wider: [Double] = []
    /// Different random pcs each time, from the whole table.
    var scattered: [Double] = []
    /// Walks of 50 frames.
    var stack: [Double] = []
    var framesOfStack = 0
    /// Copying a table's records into existing maps.
    var bytesCopied = 0
    var copying: [Double] = []
    /// Adding a process with this many images: first with their tables in the store, then with them in the kernel.
    var images = 0
    var fromStore: [Double] = []
    var loaded: [Double] = []
    /// Size of the tables as files, in bytes.
    var tableBytes = 0
    /// Kernel memory used by the tables and the process, and all kernel memory, in bytes.
    var usedBytes = 0
    var mappedBytes = 0
    var programs: [VerifiedProgram] = []

    private static let runs = 100

    /// - Parameter input: a large file, whose table is used for lookups.
    init(_ input: Input, rounds: Int, store: TableStore, progress: (String) -> Void) throws {
        table = input.name
        let compiler = ImageCompiler()
        let view = try TableVerifier.verify(try compiler.compile(try ELFImage(path: input.path)).built.table)
        try withExtendedLifetime(compiler) {
            var options = KernelUnwinder.Options()
            options.batches = true
            let unwinder = try KernelUnwinder(tables: CompilingSupply(store: store), options)
            programs = unwinder.verifiedPrograms
            let batch = try unwinder.makeBatch()
            progress("the kernel: lookups in the table of \(input.name)")
            try measureLookups(view, unwinder, batch, rounds)
            progress("the kernel: walks of 50 frames")
            try measureWalks(unwinder, batch, rounds)
            progress("the kernel: copying tables in")
            try measureCopying(view, rounds)
        }
        progress("the kernel: a process with 100 libraries")
        try measureProcess(store, rounds)
    }

    // MARK: Lookups

    private mutating func measureLookups(
        _ view: TableView, _ unwinder: KernelUnwinder, _ batch: Batch, _ rounds: Int
    ) throws {
        let base: UInt64 = 1 << 44
        try unwinder.map(view, at: base, in: Self.lookupProcess)
        batch.shared.pointee.process = UInt32(Self.lookupProcess)
        batch.shared.pointee.count = UInt32(CFIC_BATCH_LOOKUPS)
        let addresses = Self.randomAddresses(view)
        for _ in 0..<rounds {
            for index in 0..<Int(CFIC_BATCH_LOOKUPS) { batch.pcs[index] = base &+ addresses[index % 64] }
            hot.append(try Self.perLookup(batch, 0))
            let few = addresses[..<min(1024, addresses.count)]
            let more = addresses[..<min(4096, addresses.count)]
            random.append(try Self.perRandomLookup(batch, few, base, 0))
            chained.append(try Self.perRandomLookup(batch, few, base, UInt32(CFIC_BATCH_CHAIN)))
            wider.append(try Self.perRandomLookup(batch, more, base, 0))
            scattered.append(try Self.perRandomLookup(batch, addresses[...], base, 0))
        }
    }

    private static let lookupProcess: Int32 = .max

    /// Random SVMAs that have a rule.
    private static func randomAddresses(_ view: TableView) -> [UInt64] {
        var generator = SystemRandomNumberGenerator()
        var addresses: [UInt64] = []
        while addresses.count < Int(CFIC_BATCH_LOOKUPS) * runs {
            guard let range = view.ranges.randomElement() else { break }
            let first = range.start_page << view.pageShift
            let address = UInt64.random(
                in: first..<first + UInt64(range.page_count) << view.pageShift, using: &generator)
            if view.ruleNumber(at: address) != 0 { addresses.append(address) }
        }
        return addresses
    }

    /// Seconds for one of the batch's lookups, without the cost of the loop.
    private static func perLookup(_ batch: Batch, _ what: UInt32) throws -> Double {
        let count = Double(runs) * Double(CFIC_BATCH_LOOKUPS)
        batch.shared.pointee.what = UInt32(CFIC_BATCH_EMPTY)
        let empty = try timed { for _ in 0..<runs { try batch.lookUp() } }
        batch.shared.pointee.what = what
        let full = try timed { for _ in 0..<runs { try batch.lookUp() } }
        return (full - empty) / count
    }

    private static func perRandomLookup(
        _ batch: Batch, _ addresses: ArraySlice<UInt64>, _ base: UInt64, _ what: UInt32
    ) throws -> Double {
        let count = Int(CFIC_BATCH_LOOKUPS)
        var times: [Double] = []
        for run in 0..<runs {
            for index in 0..<count { batch.pcs[index] = base &+ addresses[(run * count + index) % addresses.count] }
            batch.shared.pointee.what = UInt32(CFIC_BATCH_EMPTY)
            let empty = try timed { try batch.lookUp() }
            batch.shared.pointee.what = what
            times.append(try timed { try batch.lookUp() } - empty)
        }
        return (times.median ?? 0) / Double(count)
    }

    // MARK: Walks

    private mutating func measureWalks(_ unwinder: KernelUnwinder, _ batch: Batch, _ rounds: Int) throws {
        try unwinder.addProcess(getpid())
        batch.shared.pointee.process = UInt32(getpid())
        let walk = ChainWalk(batch, rounds: rounds)
        call_chain(
            50,
            { context, registers, pc in
                guard let context, let registers else { return }
                Unmanaged<ChainWalk>.fromOpaque(context).takeUnretainedValue().run(registers, pc)
            }, Unmanaged.passUnretained(walk).toOpaque())
        if let failure = walk.failure { throw failure }
        stack = walk.times
        framesOfStack = walk.frames
    }

    // MARK: Memory

    private mutating func measureCopying(_ view: TableView, _ rounds: Int) throws {
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
        for _ in 0...rounds { copying.append(try unwinder.timeOfPlacing(view)) }
        // The first one includes creating the maps.
        copying.removeFirst()
        bytesCopied = view.bytes.count
    }

    // MARK: Processes

    private mutating func measureProcess(_ store: TableStore, _ rounds: Int) throws {
        let child = try LibraryProcess(count: 100)
        defer { child.end() }
        // Fills the store.
        try KernelUnwinder(tables: CompilingSupply(store: store)).addProcess(child.process)
        for _ in 0..<rounds {
            let unwinder = try KernelUnwinder(tables: CompilingSupply(store: store))
            fromStore.append(try timed { images = try unwinder.addProcess(child.process).images.count })
            unwinder.removeProcess(child.process)
            // The tables are still in the kernel, so only the process's mappings have to be read.
            loaded.append(try timed { try unwinder.addProcess(child.process) })
            let use = unwinder.memoryUse
            usedBytes = use.used
            mappedBytes = use.mapped
            tableBytes = use.fileBytes
        }
    }
}

/// Runs walks in the innermost frame of a chain of calls.
private final class ChainWalk {
    private let batch: Batch
    private let rounds: Int
    var times: [Double] = []
    var frames = 0
    var failure: (any Error)?

    init(_ batch: Batch, rounds: Int) {
        self.batch = batch
        self.rounds = rounds
    }

    func run(_ registers: UnsafePointer<UInt64>, _ pc: UInt64) {
        for index in 0..<32 { batch.registers[index] = registers[index] }
        batch.shared.pointee.pc = pc
        do {
            for _ in 0..<rounds {
                let one = try timed(walks: 1)
                let all = try timed(walks: UInt32(CFIC_BATCH_WALKS))
                times.append((all - one) / Double(CFIC_BATCH_WALKS - 1))
            }
            frames = Int(batch.shared.pointee.sample.user_count)
        } catch {
            failure = error
        }
    }

    private func timed(walks: UInt32) throws -> Double {
        batch.shared.pointee.count = walks
        var times: [Double] = []
        for _ in 0..<100 {
            let start = Clock.wall
            try batch.walk()
            times.append(Clock.wall - start)
        }
        return times.median ?? 0
    }
}

private func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = Clock.wall
    try body()
    return Clock.wall - start
}
