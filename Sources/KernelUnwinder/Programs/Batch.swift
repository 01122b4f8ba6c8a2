import CLibbpf
import CUnwindTable
import Glibc
import UnwindTable

/// Runs lookups and walks on request (cfic/batch.h), for tests and benchmarks.
package final class Batch {
    /// Shared with the BPF programs, which run only inside `lookUp` and `walk`.
    package let shared: UnsafeMutablePointer<cfic_batch>
    private let lookUpProgram: Int32
    private let walkProgram: Int32
    private static let size = (MemoryLayout<cfic_batch>.size + 4095) & ~4095

    /// - Parameter lookups: the machine whose tables are looked up; nil: this machine.
    init(_ object: KernelObject, lookups: TableMachine? = nil) throws(KernelError) {
        let host = try KernelUnwinder.hostMachine
        let machine = host.programSuffix
        lookUpProgram = bpf_program__fd(try object.program("look_up_\((lookups ?? host).programSuffix)"))
        walkProgram = bpf_program__fd(try object.program("walk_stack_\(machine)"))
        let start = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, try object.map("batches"), 0)
        guard let start, start != MAP_FAILED else { throw .system("mapping the batch", errno: errno) }
        shared = start.assumingMemoryBound(to: cfic_batch.self)
    }

    deinit { munmap(shared, Self.size) }

    /// The pcs to look up, CFIC_BATCH_LOOKUPS of them.
    package var pcs: UnsafeMutablePointer<UInt64> {
        field(\.pcs, UInt64.self)
    }
    package var rules: UnsafeMutablePointer<cfic_rule> { field(\.rules, cfic_rule.self) }
    package var steps: UnsafeMutablePointer<UInt8> { field(\.steps, UInt8.self) }
    package var registers: UnsafeMutablePointer<UInt64> { field(\.registers, UInt64.self) }
    package var frames: UnsafeMutablePointer<UInt64> { field(\.frames, UInt64.self) }

    private func field<Tuple, Element>(
        _ path: KeyPath<cfic_batch, Tuple>, _: Element.Type
    ) -> UnsafeMutablePointer<Element> {
        // Never nil: the fields are C's.
        let offset = MemoryLayout<cfic_batch>.offset(of: path) ?? 0
        return (UnsafeMutableRawPointer(shared) + offset).assumingMemoryBound(to: Element.self)
    }

    package func lookUp() throws(KernelError) { try run(lookUpProgram) }
    package func walk() throws(KernelError) { try run(walkProgram) }

    private func run(_ program: Int32) throws(KernelError) {
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        let status = bpf_prog_test_run_opts(program, &options)
        guard status == 0 else { throw .system("running a BPF program", errno: -status) }
        guard options.retval == 0 else { throw .system("a BPF program returned an error", errno: ESRCH) }
    }
}

extension KernelUnwinder {
    /// Requires ``Options/batches``.
    package func makeBatch() throws(KernelError) -> Batch { try Batch(object, lookups: options.lookupMachine) }
}

extension KernelUnwinder {
    /// Publishes mappings as if the process had mapped the table's image with a bias.
    package func map(_ table: TableView, at bias: UInt64, in process: Int32) throws(KernelError) {
        try addTable(table)
        try publish(
            process,
            images.placedRanges(of: table.key).map { range in
                PlacedMapping(
                    start: range.addresses.lowerBound &+ bias, end: range.addresses.upperBound &+ bias, bias: bias,
                    range: range.place)
            })
    }

    /// The time to lay out a table, in seconds. The first call includes mapping the memory.
    package func timeOfPlacing(_ table: TableView) throws(KernelError) -> Double {
        let start = ContinuousClock.now
        var numbers = Numbers()
        let heads = try TablePlacement.placeHeads(of: table, in: memory)
        let spans = try TablePlacement.place(table, heads: heads.ranges, &numbers, in: memory)
        let elapsed = ContinuousClock.now - start
        for span in heads.spans + spans { memory.free(span) }
        return Double(elapsed.components.attoseconds) / 1e18 + Double(elapsed.components.seconds)
    }
}
