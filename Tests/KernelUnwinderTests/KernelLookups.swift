import CUnwindTable
@testable import KernelUnwinder
import Testing
import UnwindTable

/// Lookups by the BPF programs.
final class KernelLookups {
    let unwinder: KernelUnwinder
    private let batch: Batch

    init(change: (inout KernelUnwinder.Options) -> Void = { _ in }) throws {
        var options = KernelUnwinder.Options()
        options.batches = true
        change(&options)
        unwinder = try KernelUnwinder(options)
        batch = try unwinder.makeBatch()
    }

    /// The rule for each AVMA, or why there is none.
    func rules(at addresses: [UInt64], in process: Int32) throws -> [(step: cfic_step, rule: Rule)] {
        var found: [(cfic_step, Rule)] = []
        found.reserveCapacity(addresses.count)
        let limit = Int(CFIC_BATCH_LOOKUPS)
        batch.shared.pointee.process = UInt32(process)
        for first in stride(from: 0, to: addresses.count, by: limit) {
            let count = min(limit, addresses.count - first)
            batch.shared.pointee.count = UInt32(count)
            for index in 0..<count { batch.pcs[index] = addresses[first + index] }
            try batch.lookUp()
            for index in 0..<count { found.append((cfic_step(UInt32(batch.steps[index])), Rule(batch.rules[index]))) }
        }
        return found
    }

    /// Compares lookups of SVMAs in a table, mapped with a bias, in user space and in the kernel.
    func requireSame(
        _ table: TableView, at addresses: [UInt64], bias: UInt64, in process: Int32,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try rules(at: addresses.map { $0 &+ bias }, in: process)
        var wrong: [String] = []
        for (address, (step, rule)) in zip(addresses, found)
        where step != CFIC_STEP_CALLER || rule != table.rule(at: address) {
            wrong.append("\(String(address, radix: 16)): \(step.rawValue) \(rule)")
        }
        #expect(found.count == addresses.count && !addresses.isEmpty, sourceLocation: sourceLocation)
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(3))", sourceLocation: sourceLocation)
    }
}
