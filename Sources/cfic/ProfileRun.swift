import CLinux
import Files
import Glibc
import KernelUnwinder
import LinuxProcess
import Profile

/// Samples processes or a command until they end, the time is up, or the user stops it.
final class ProfileRun {
    private let recorder: Recorder
    private let unwinder: KernelUnwinder
    private let interruption: Interruption
    private let frequency: Int
    private let duration: Double?
    private var event = KernelUnwinder.Event.clock
    private var commandEnd: CommandEnd?
    private var elapsed = Duration.zero

    init(
        _ unwinder: KernelUnwinder, interruption: Interruption, frequency: Int, duration: Double?,
        tellsProcessesApart: Bool
    ) {
        self.unwinder = unwinder
        self.interruption = interruption
        self.frequency = frequency
        self.duration = duration
        recorder = Recorder(unwinder, tellsProcessesApart: tellsProcessesApart)
    }

    func sample(_ processes: [Int32]) throws {
        Self.raiseFileLimit()
        try unwinder.watchProcesses()
        for process in processes { try ProcessStatus.checkIsProcess(process) }
        for process in processes {
            Diagnostics.progress("Reading process \(process) and loading tables for its mappings")
            try recorder.add(process)
        }
        try loop { !recorder.isAnyoneLeft }
    }

    func sample(_ command: [String]) throws {
        try unwinder.watchProcesses()
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { $0.withPath { strdup($0) } } + [nil]
        defer { for argument in arguments { free(argument) } }
        var go: Int32 = -1
        let child = spawn_waiting(&arguments, &go)
        guard child > 0 else { throw Failure("\(command[0]): \(systemMessage(-child))") }
        interruption.setChild(child)
        defer { interruption.setChild(nil) }
        Self.raiseFileLimit()
        var status: Int32 = 0
        var isRunning = true
        do {
            try unwinder.expectProcess(child)
            try loop(
                start: {
                    let code = spawn_run(go)
                    go = -1
                    guard code == 0 else { throw Failure("\(command[0]): \(systemMessage(code))") }
                },
                isDone: {
                    if isRunning, waitpid(child, &status, WNOHANG) == child {
                        isRunning = false
                        // Its id may be reused from now on.
                        interruption.setChild(nil)
                    }
                    return !isRunning
                })
        } catch {
            if go >= 0 { close(go) }
            end(child, isRunning, &status)
            throw error
        }
        if isRunning { end(child, isRunning, &status) } else { commandEnd = CommandEnd(waitStatus: status) }
    }

    /// Terminates a command that is still running.
    private func end(_ child: Int32, _ isRunning: Bool, _ status: inout Int32) {
        guard isRunning else { return }
        kill(child, SIGTERM)
        for _ in 0..<200 {
            if waitpid(child, &status, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        // It didn't react to SIGTERM.
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
    }

    /// Each mapped image keeps its file open, for names. The command has been started with the original limit.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func loop(start: () throws -> Void = {}, isDone: () -> Bool) throws {
        event = try unwinder.start(.cycles, frequency: frequency)
        let began = ContinuousClock.now
        interruption.enter(.recording)
        try start()
        let rate = "\(frequency) times a second on each of \(Quantity.count(KernelUnwinder.onlineCPUCount, "CPU"))"
        Diagnostics.progress("Sampling \(rate)\(duration.map { ", for \($0) s" } ?? ""); Ctrl-C ends it")
        while !isDone(), !interruption.isStopWanted {
            elapsed = ContinuousClock.now - began
            if let duration, elapsed >= .seconds(duration) { break }
            unwinder.wait(milliseconds: 50, or: interruption.descriptor)
            try recorder.collect()
        }
        elapsed = ContinuousClock.now - began
        interruption.enter(.finishing)
        unwinder.stop()
        try recorder.collect()
        if recorder.stacks.totals.samples == 0 { interruption.enter(.finished) }
    }

    var recording: Recording {
        let counters = Result { () throws(KernelError) in try unwinder.counters() }
        return Recording(
            stacks: recorder.stacks, programs: recorder.programs, event: event, elapsed: elapsed, counters: counters,
            memory: unwinder.memoryUse, commandEnd: commandEnd, problems: recorder.problems)
    }
}
