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
    var lookups = LookupTimes()
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
            lookups = try LookupTimes(view, unwinder, batch, rounds: rounds)
            progress("the kernel: walks of 50 frames")
            try measureWalks(unwinder, batch, rounds)
            progress("the kernel: copying tables in")
            try measureCopying(view, rounds)
        }
        progress("the kernel: a process with 100 libraries")
        try measureProcess(store, rounds)
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
