import CUnwindTable
import ELF
import Glibc
import KernelUnwinder
import TableCompiler
import UnwindTable

/// The cost of lookups in one table on this machine's kernel: seconds, one sample per round.
struct LookupTimes {
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

    private static let runs = 100
    private static let process: Int32 = .max

    init() {}

    /// Compiles a file's table, of whichever machine, and measures lookups in it.
    init(path: String, rounds: Int) throws {
        let compiler = ImageCompiler()
        let view = try TableVerifier.verify(try compiler.compile(try ELFImage(path: path)).built.table)
        self = try withExtendedLifetime(compiler) {
            var options = KernelUnwinder.Options()
            options.batches = true
            options.lookupMachine = view.machine
            let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
            return try LookupTimes(view, unwinder, try unwinder.makeBatch(), rounds: rounds)
        }
    }

    init(_ view: TableView, _ unwinder: KernelUnwinder, _ batch: Batch, rounds: Int) throws {
        let base: UInt64 = 1 << 44
        try unwinder.map(view, at: base, in: Self.process)
        batch.shared.pointee.process = UInt32(Self.process)
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

    /// Random SVMAs that have a rule: always the same ones, so that two versions can be compared.
    private static func randomAddresses(_ view: TableView) -> [UInt64] {
        var generator = XorShift()
        let pages = view.ranges.reduce(0) { $0 + UInt64($1.page_count) }
        var addresses: [UInt64] = []
        while addresses.count < Int(CFIC_BATCH_LOOKUPS) * runs {
            var page = UInt64.random(in: 0..<pages, using: &generator)
            for range in view.ranges {
                if page < range.page_count {
                    page += range.start_page
                    break
                }
                page -= UInt64(range.page_count)
            }
            let address = page << view.pageShift + UInt64.random(in: 0..<1 << view.pageShift, using: &generator)
            if view.ruleNumber(at: address) != 0 { addresses.append(address) }
        }
        return addresses
    }

    private struct XorShift: RandomNumberGenerator {
        private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_F491_4F6C_DD1D
        }
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

    var json: JSON {
        .object([
            ("hot", .number(hot.median)), ("random", .number(random.median)), ("chained", .number(chained.median)),
            ("wider", .number(wider.median)), ("scattered", .number(scattered.median)),
        ])
    }
}

private func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = Clock.wall
    try body()
    return Clock.wall - start
}
