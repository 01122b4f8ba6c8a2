import Glibc
import KernelUnwinder
import LinuxProcess

/// Collects the stacks of running processes.
public final class Recorder {
    /// The source of the samples.
    public let unwinder: KernelUnwinder
    /// The stacks that were collected so far.
    public private(set) var stacks = Stacks()
    /// The code that the stacks' addresses are in.
    public private(set) var processes = ProcessHistories()
    /// Problems with single processes, in words, each once.
    public private(set) var problems: [String] = []
    /// Whether any sampled process still runs.
    public var isAnyoneLeft: Bool { !unwinder.trackedProcesses.isEmpty }
    private let tellsProcessesApart: Bool
    private var newcomers = Newcomers()

    /// - Parameters:
    ///   - unwinder: the source of the samples.
    ///   - tellsProcessesApart: whether stacks keep their process and its addresses. Memory is then proportional to
    ///     the processes that were sampled, otherwise to the different stacks.
    public init(_ unwinder: KernelUnwinder, tellsProcessesApart: Bool = true) {
        self.unwinder = unwinder
        self.tellsProcessesApart = tellsProcessesApart
    }

    /// Starts sampling a running process.
    public func add(_ process: Int32) throws(KernelError) {
        processes.note(try unwinder.addProcess(process), of: process)
    }

    /// Processes the events and samples that are available. Call it several times per second.
    public func collect() throws(KernelError) {
        // Samples are read first, so that all earlier events are known when they are resolved.
        var taken: [(stack: Stacks.Stack, time: UInt64, base: ProcessImages?)] = []
        try unwinder.readSamples { sample in
            taken.append((Stacks.Stack(sample), sample.time, unwinder.images(numbered: sample.mappings)))
            if sample.end == .noProcess { newcomers.note(sample.process) }
        }
        let time = MonotonicClock.now
        for change in unwinder.update(unwinder.processEvents()) {
            processes.note(change)
            if case .failed(let error) = change.kind { note(error) }
        }
        addNewcomers()
        for (stack, time, base) in taken { count(stack, at: time, unwoundBy: base) }
        processes.endRound(at: time)
    }

    /// Adds processes that samples showed to be unknown, those with most samples first, as many as a moment allows:
    /// samples wait meanwhile.
    private func addNewcomers() {
        let began = ContinuousClock.now
        while let process = newcomers.next(), ContinuousClock.now - began < Self.moment {
            if unwinder.images(of: process) != nil { continue }
            do throws(KernelError) {
                processes.note(try unwinder.addProcess(process, waitsForTables: false), of: process)
            } catch {
                // Most have ended.
                if case .process(.noSuchProcess) = error { continue }
                note(error)
            }
        }
    }

    private static let moment = Duration.milliseconds(20)

    private func note(_ error: KernelError) {
        // Each message may be about another process, so their number is limited.
        guard problems.count < 100, !problems.contains(error.description) else { return }
        problems.append(error.description)
    }

    private func count(_ stack: Stacks.Stack, at time: UInt64, unwoundBy base: ProcessImages?) {
        var stack = stack
        let addresses = stack.userFrames.map(\.pc)
        processes.resolve(&stack, at: time, unwoundBy: base)
        if tellsProcessesApart {
            stack.addresses = Array(addresses.prefix(stack.userFrames.count))
        } else {
            stack.space.process = 0
        }
        stacks.add(stack)
    }
}
