import CUnwindTable
@testable import KernelUnwinder

/// Does walks one at a time. The BPF programs have one walk state per CPU, so most walks find the previous one's state.
final class Walker {
    struct Walk {
        var frames: [Sample.Frame]
        var header: cfic_sample
        var end: StackEnd { StackEnd(code: UInt32(header.end), reason: UInt32(header.reason)) }
    }

    let unwinder: KernelUnwinder
    private let batch: Batch

    init(change: (inout KernelUnwinder.Options) -> Void = { _ in }) throws {
        var options = KernelUnwinder.Options()
        options.batches = true
        change(&options)
        unwinder = try KernelUnwinder(options)
        batch = try unwinder.makeBatch()
    }

    func walk(_ process: Int32, from pc: UInt64, _ sp: UInt64, fp: UInt64 = 0) throws -> Walk {
        batch.shared.pointee.process = UInt32(process)
        batch.shared.pointee.count = 1
        batch.shared.pointee.pc = pc
        for register in 0..<32 { batch.registers[register] = 0 }
        (batch.registers[6], batch.registers[7]) = (fp, sp)
        try batch.walk()
        let header = batch.shared.pointee.sample
        return Walk(
            frames: (0..<Int(header.user_count)).map { Sample.Frame(word: batch.frames[$0]) }, header: header)
    }
}
