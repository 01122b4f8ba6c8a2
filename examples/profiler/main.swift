import KernelUnwinder
import TableCompiler
import TableStore

let unwinder = try KernelUnwinder(tables: CompilingSupply(store: TableStore()))
try unwinder.start(frequency: 99)
try unwinder.watchProcesses()
try unwinder.addProcess(Int32(CommandLine.arguments[1]) ?? 0)
while !unwinder.trackedProcesses.isEmpty {
    unwinder.wait(milliseconds: 100)
    try unwinder.readSamples { sample in
        print(sample.command, sample.userFrames.map(\.pc), sample.end)
    }
    _ = unwinder.update(unwinder.processEvents())
}
