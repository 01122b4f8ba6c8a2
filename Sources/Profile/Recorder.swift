import ELF
import FullUnwinder
import Glibc
import KernelUnwinder
import LinuxProcess
import Symbols
import Threads

/// Collects the stacks of running processes.
public final class Recorder {
    /// The source of the samples.
    public let unwinder: KernelUnwinder
    /// The stacks that were collected so far.
    public internal(set) var stacks = Stacks()
    /// When samples were taken, in numbers of ``stacks``; nil if that isn't kept.
    public private(set) var timeline: Timeline?
    /// The code that the stacks' addresses are in.
    public internal(set) var processes: ProcessHistories
    /// Problems with single processes, in words, each once.
    public private(set) var problems: [String] = []
    /// Whether any sampled process still runs.
    public var isAnyoneLeft: Bool { !unwinder.trackedProcesses.isEmpty }
    /// The cgroups that sampled threads were in.
    public private(set) var cgroups = CgroupPaths()
    /// Nil if it isn't mounted.
    private let hierarchy = Cgroups()
    private let tellsProcessesApart: Bool
    let tellsInstructionsApart: Bool
    /// In bytes. When stacks take more, those that differ only by instruction are merged.
    var mergeLimit = 8 << 20
    private var newcomers = Newcomers()
    /// The number of processes that were sampled and are not known yet.
    var newcomerCount: Int { newcomers.count }
    /// Whether there were samples of unknown processes when samples were last read.
    private(set) var metNewcomers = false
    /// What was finished in user space so far.
    var finished = RecordingCounters.Finished()
    /// The waits that have ended so far.
    private(set) var ended = RecordingCounters.Waits()
    /// Sees all stacks that come with snapshots.
    package var observer: (any SampleObserver)?
    /// Nil if stacks are left as the kernel gives them out.
    let finisher: StackFinisher?
    var snapshots = RoundSnapshots()
    private var waiting = WaitingThreads()
    /// What was read in this round, in the order of a thread's samples and ends of waits.
    var records: [Record] = []
    /// Stacks as they were read, and what each became: nil if that depends on the time of the sample.
    var raw: RawStacks
    private var known: [Stacks.Number?] = []
    /// The mappings that this round's samples were unwound with, by number.
    var bases: [UInt32: ProcessImages] = [:]
    /// The number that was looked up last.
    private var lastBase: UInt32 = 0
    /// In bytes. Above it, raw stacks are forgotten. Less only in tests.
    var rawLimit = 8 << 20
    let debugFiles: DebugFileSearch?
    /// Code that is being named.
    var naming: FunctionNaming?
    /// Names it.
    let pool = WorkerPool(limit: 1)
    /// Made when the first wait is read.
    private var scheduler: SchedulerFrames?

    /// - Parameters:
    ///   - unwinder: the source of the samples.
    ///   - tellsProcessesApart: whether stacks keep their process and its addresses. Memory is then proportional to
    ///     the processes that were sampled, otherwise to the different stacks.
    ///   - tellsInstructionsApart: whether frames stay where they were sampled. If neither they nor processes are told
    ///     apart, frames may be moved to the beginnings of their functions, and functions of files lose their files: there are
    ///     far fewer different stacks then, in hours of samples.
    ///   - keepsTimes: whether there is a ``timeline``, which takes memory for each sample.
    ///   - debugFiles: finds separate debug files, for stacks that are finished in user space and for names of files that
    ///     are closed before the end; nil for none.
    public init(
        _ unwinder: KernelUnwinder, tellsProcessesApart: Bool = true, tellsInstructionsApart: Bool = true,
        keepsTimes: Bool = false,
        debugFiles: DebugFileSearch? = DebugFileSearch()
    ) {
        self.unwinder = unwinder
        processes = ProcessHistories(
            open: { unwinder.opened($0, in: $1) },
            openNames: GeneratedCode.openFiles)
        finisher = unwinder.finishesStacks ? try? StackFinisher(debugFiles: debugFiles) : nil
        self.debugFiles = debugFiles
        self.tellsProcessesApart = tellsProcessesApart
        self.tellsInstructionsApart = tellsInstructionsApart || tellsProcessesApart
        timeline = keepsTimes ? Timeline(anchor: .now) : nil
        raw = RawStacks(tellsProcessesApart: tellsProcessesApart)
    }

    /// Starts sampling a running process.
    public func add(_ process: Int32) throws(KernelError) {
        processes.note(try unwinder.addProcess(process), of: process)
    }

    /// Processes the events and samples that are available. Call it several times per second.
    public func collect() throws(KernelError) {
        // Samples are read first, so that all earlier events are known when they are resolved.
        try unwinder.readSamples(take, wait: { records.append(.endOfWait($0)) })
        let time = MonotonicClock.now
        newcomers.beginRound(at: time)
        for change in unwinder.update(unwinder.processEvents(), sampled: sampledProcesses) {
            processes.note(change)
            switch change.kind {
            case .failed(let error): note(error)
            case .ended: newcomers.forget(change.process)
            default: break
            }
        }
        metNewcomers = newcomers.count > 0
        addNewcomers()
        let finished = try finishStacks()
        for (index, record) in records.enumerated() {
            switch record {
            case .sample(let taken): note(taken, finished.isEmpty ? nil : finished[index])
            case .endOfWait(let wait): if let begun = waiting.end(wait) { add(begun, wait.thread, length: wait.length) }
            }
        }
        waiting.forgetEnded(isWaiting: unwinder.isWaiting)
        processes.endRound(at: time)
        forgetRound()
        nameFunctions()
    }

    /// Keeps of a sample what its stack can't tell.
    private func take(_ sample: Sample) {
        let number = raw.intern(sample)
        if number == known.count {
            known.append(nil)
            if let hierarchy { cgroups.note(sample.cgroup, in: hierarchy) }
        }
        // They may be out of use when the events have been processed.
        if sample.mappings != lastBase {
            lastBase = sample.mappings
            if bases[lastBase] == nil { bases[lastBase] = unwinder.images(numbered: lastBase) }
        }
        records.append(
            .sample(
                Taken(
                    stack: number, process: sample.process, thread: sample.thread, cpu: UInt32(bitPattern: sample.cpu),
                    mappings: sample.mappings, time: sample.time, share: sample.isWait ? sample.share : 0)))
        if sample.end == .noProcess || sample.end == .noMapping && unwinder.images(of: sample.process) == nil {
            newcomers.note(sample.process)
        }
    }

    /// Of this round's samples.
    private func sampledProcesses() -> Set<Int32> {
        Set(records.compactMap { if case .sample(let taken) = $0 { taken.process } else { nil } })
    }

    private func forgetRound() {
        records.removeAll(keepingCapacity: true)
        (bases, lastBase) = ([:], 0)
        if raw.byteCount > rawLimit {
            raw.removeAll()
            known = []
        }
    }

    /// Counts waits that have not ended yet, as if they ended now. Call it last, when sampling has stopped.
    public func endWaits() {
        let now = MonotonicClock.now
        for (thread, begun) in waiting.takeUnended(isWaiting: unwinder.isWaiting) {
            add(begun, thread, length: now > begun.time ? now - begun.time : 0)
        }
    }

    private func add(_ begun: WaitingThreads.Begun, _ thread: Int32, length: UInt64, hasEnded: Bool = true) {
        let nanoseconds = Double(length - min(length, begun.counted)) / begun.share
        stacks.add(begun.stack, waited: nanoseconds)
        ended.samples += hasEnded ? 1 : 0
        ended.nanoseconds += nanoseconds
        timeline?.append(
            Timeline.Sample(
                time: begun.time + begun.counted, thread: thread, cpu: begun.cpu, stack: begun.stack.index,
                waited: UInt64(exactly: nanoseconds.rounded()) ?? .max))
    }

    /// Takes out what was recorded since the last call, so that memory doesn't grow with the length of a recording. Waits that
    /// have not ended are divided. The interval has images of its own: another thread may name it.
    ///
    /// - Returns: its stacks, their code, cgroups, and its timeline if there is one.
    func takeInterval() -> (Stacks, ProcessHistories, CgroupPaths, Timeline?) {
        waiting.divide(at: MonotonicClock.now, isWaiting: unwinder.isWaiting) { thread, wait, length in
            add(wait, thread, length: length, hasEnded: false)
        }
        let (code, move) = processes.takeCode()
        let taken = (stacks, code, cgroups, timeline)
        (stacks, cgroups) = (Stacks(), CgroupPaths())
        if timeline != nil { timeline = Timeline(anchor: .now) }
        waiting.renumber { number in
            var stack = taken.0.stack(number)
            if let hierarchy { cgroups.note(stack.cgroup, in: hierarchy) }
            move(&stack, &processes)
            return stacks.number(of: stack)
        }
        raw.removeAll()
        // What is being named is in the interval that was taken.
        (known, naming) = ([], nil)
        return taken
    }

    enum Record {
        case sample(Taken)
        case endOfWait(Wait)
    }

    struct Taken {
        /// In `raw`.
        var stack: Int
        var process: Int32
        var thread: Int32
        var cpu: UInt32
        /// The number of its base.
        var mappings: UInt32
        var time: UInt64
        /// Of waits; 0 of a running thread.
        var share: Double
    }

    /// Adds processes that samples showed to be unknown, those with most samples first, as many as a moment allows:
    /// samples wait meanwhile.
    private func addNewcomers() {
        let began = ContinuousClock.now
        while ContinuousClock.now - began < Self.moment, let process = newcomers.next() {
            // An exec may have removed its entry after it was read.
            if unwinder.images(of: process) != nil, unwinder.isListed(process) { continue }
            do throws(KernelError) {
                let images = try unwinder.addProcess(process, waitsForTables: false)
                // It has ended, and so may its events have been read, when nobody knew it.
                if images.mappings.isEmpty { unwinder.removeProcess(process) }
                processes.note(images, of: process)
            } catch {
                // Most have ended.
                if case .process(.noSuchProcess) = error { continue }
                newcomers.refuse(process)
                note(error)
            }
        }
    }

    private static let moment = Duration.milliseconds(20)

    private func note(_ error: KernelError) { note(error.description) }

    func note(_ problem: String) {
        // Each message may be about another process, so their number is limited.
        guard problems.count < 100, !problems.contains(problem) else { return }
        problems.append(problem)
    }

    /// Replaces the numbers of stacks.
    func renumber(_ new: (Stacks.Number) -> Stacks.Number) {
        known = known.map { $0.map(new) }
        waiting.renumber(new)
        timeline?.renumber { new(Stacks.Number(index: $0)).index }
    }

    private func note(_ taken: Taken, _ finished: StackFinisher.Finished?) {
        let number = number(of: taken, finished)
        if taken.share > 0 {
            return waiting.begin(
                taken.thread,
                WaitingThreads.Begun(time: taken.time, share: taken.share, cpu: taken.cpu, stack: number))
        }
        stacks.add(number)
        timeline?.append(
            Timeline.Sample(time: taken.time, thread: taken.thread, cpu: taken.cpu, stack: number.index))
    }

    private func number(of taken: Taken, _ finished: StackFinisher.Finished?) -> Stacks.Number {
        let isSettled = finished == nil && processes.isSettled(taken.process)
        if isSettled, let number = known[taken.stack] { return number }
        var stack = raw.withSample(taken.stack) { Stacks.Stack($0) }
        stack.space.process = taken.process
        if let finished {
            stack.userFrames = finished.continuing(stack.userFrames)
            stack.end = finished.end
        }
        let base = bases[taken.mappings]
        let addresses = tellsProcessesApart ? stack.userFrames.map(\.pc) : []
        let isAllOfFiles = processes.resolve(&stack, at: taken.time, unwoundBy: base)
        // A child's first mappings are its parent's. It has others now, and was not read yet.
        if stack.end == .mappingChanged, unwinder.images(of: taken.process) == nil { newcomers.note(taken.process) }
        if tellsProcessesApart {
            stack.addresses = Array(addresses.prefix(stack.userFrames.count))
        } else {
            stack.space.process = 0
        }
        if stack.isWaiting { cutTracepoint(off: &stack) }
        let number = stacks.number(of: stack)
        // Without a base, it depends on what the process's mappings are known to be.
        if isSettled, isAllOfFiles, base != nil || stack.userFrames.isEmpty { known[taken.stack] = number }
        return number
    }

    private func cutTracepoint(off stack: inout Stacks.Stack) {
        var scheduler = self.scheduler ?? SchedulerFrames(KernelSymbols())
        self.scheduler = nil
        scheduler.cut(&stack.kernelFrames)
        self.scheduler = scheduler
    }
}
