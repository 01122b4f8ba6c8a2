import CUnwindTable
import ELF
import Glibc
import KernelUnwinder
import TableCompiler
import UnwindTable

/// The cost of lookups in one table on this machine's kernel: seconds, one sample per round.
struct LookupTimes {
    /// Which random pcs are looked up.
    enum Addresses: String, CaseIterable {
        /// 64 again and again.
        case few
        /// 1,024 again and again.
        case many
        /// 4,096 again and again: as many as the cache of recent rules has room for.
        case most
        /// Different ones each time, from the whole table.
        case others

        /// Their number; nil: as many as there are lookups.
        var count: Int? {
            switch self {
            case .few: 64
            case .many: 1024
            case .most: 4096
            case .others: nil
            }
        }

        /// As reports call them.
        var text: String {
            switch self {
            case .few: "64 pcs"
            case .many: "1,024 pcs"
            case .most: "4,096 pcs"
            case .others: "other pcs each time"
            }
        }
    }

    /// Each lookup may begin before the one before it ended.
    private(set) var overlapping: [Addresses: [Double]] = [:]
    /// Each waits for the rule that the one before it found, as those of a walk do.
    private(set) var waiting: [Addresses: [Double]] = [:]

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
        let random = Self.randomAddresses(view)
        for _ in 0..<rounds {
            for addresses in Addresses.allCases {
                let some = random[..<min(addresses.count ?? .max, random.count)]
                overlapping[addresses, default: []].append(try Self.perLookup(batch, some, base, 0))
                waiting[addresses, default: []].append(
                    try Self.perLookup(batch, some, base, UInt32(CFIC_BATCH_CHAIN)))
            }
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

    /// Seconds for one lookup, without the cost of the loop.
    private static func perLookup(
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
        func object(_ times: [Addresses: [Double]]) -> JSON {
            .object(Addresses.allCases.map { ($0.rawValue, .number(times[$0]?.median)) })
        }
        return .object([("overlapping", object(overlapping)), ("waiting", object(waiting))])
    }
}

private func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = Clock.wall
    try body()
    return Clock.wall - start
}
