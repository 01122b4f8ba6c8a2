import KernelUnwinder
import Profile
import ProfileFormats
import TableCompiler
import TableStore

// Runs a command, and prints its stacks as flame graph tools read them.
let unwinder = try KernelUnwinder(tables: CompilingSupply(store: TableStore()))
let recording = try Profiler(unwinder).record(command: Array(CommandLine.arguments.dropFirst()))
print(FoldedStacks(recording.stacks, Symbolizer(recording.processes)).text, terminator: "")
