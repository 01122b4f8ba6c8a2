import Glibc
import KernelUnwinder

/// Collects the stacks of processes while they run.
public final class Recorder {
    public let unwinder: KernelUnwinder
    public private(set) var stacks = Stacks()
    public private(set) var programs = Programs()
    /// What went wrong with single processes, in words, each once.
    public private(set) var problems: [String] = []
    /// Processes that are still there.
    public var isAnyoneLeft: Bool { !unwinder.trackedProcesses.isEmpty }

    public init(_ unwinder: KernelUnwinder) { self.unwinder = unwinder }

    /// Has a running process sampled.
    public func add(_ process: Int32) throws(KernelError) {
        programs.note(try unwinder.addProcess(process), of: process, began: true, at: 0)
    }

    /// Takes in what happened and the samples that are there; to be called several times a second.
    public func collect() throws(KernelError) {
        // Samples first, so that all that happened before them is known when they are told apart by their time.
        var taken: [(stack: Stacks.Stack, time: UInt64, mappings: UInt32)] = []
        try unwinder.readSamples { taken.append((Stacks.Stack($0), $0.time, $0.mappings)) }
        let events = unwinder.processEvents()
        programs.note(events)
        for change in unwinder.update(events) {
            programs.note(change)
            if case .failed(let error) = change.kind, !problems.contains(error.description) {
                problems.append(error.description)
            }
        }
        for (var stack, time, mappings) in taken {
            stack.program = programs.program(of: stack.program.process, at: time, unwoundBy: mappings)
            stacks.add(stack)
        }
    }
}
