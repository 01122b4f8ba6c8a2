import CLinux
import Glibc
import KernelUnwinder
import Profile

/// Samples processes, or a command, until they have ended, time is up, or somebody ends it.
final class ProfileRun {
    let recorder: Recorder
    private let unwinder: KernelUnwinder
    private let signals: SignalDescriptor
    private let frequency: Int
    private let duration: Double?
    private(set) var event = KernelUnwinder.Event.clock
    /// How the command ended, if not well.
    private(set) var commandProblem: String?
    private(set) var elapsed = Duration.zero
    var seconds: Double { Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18 }

    init(
        _ unwinder: KernelUnwinder, signals: SignalDescriptor, frequency: Int, duration: Double?,
        tellsProcessesApart: Bool
    ) {
        self.unwinder = unwinder
        self.signals = signals
        self.frequency = frequency
        self.duration = duration
        recorder = Recorder(unwinder, tellsProcessesApart: tellsProcessesApart)
    }

    func sample(_ processes: [Int32]) throws {
        Self.raiseFileLimit()
        try unwinder.watchProcesses()
        for process in processes {
            try KernelUnwinder.checkIsProcess(process)
            try recorder.add(process)
        }
        try loop { !recorder.isAnyoneLeft }
    }

    func sample(_ command: [String]) throws {
        try unwinder.watchProcesses()
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var go: Int32 = -1
        let child = spawn_waiting(&arguments, &go)
        guard child > 0 else { throw Failure("\(command[0]): \(String(cString: strerror(-child)))") }
        Self.raiseFileLimit()
        var status: Int32 = 0
        var isRunning = true
        do {
            try unwinder.expectProcess(child)
            try loop(
                start: {
                    let code = spawn_run(go)
                    go = -1
                    guard code == 0 else { throw Failure("\(command[0]): \(String(cString: strerror(code)))") }
                },
                isDone: {
                    if isRunning, waitpid(child, &status, WNOHANG) == child { isRunning = false }
                    return !isRunning
                })
        } catch {
            if go >= 0 { close(go) }
            end(child, isRunning, &status)
            throw error
        }
        if isRunning { end(child, isRunning, &status) } else { commandProblem = Self.problem(status) }
    }

    /// Ends a command that is still running.
    private func end(_ child: Int32, _ isRunning: Bool, _ status: inout Int32) {
        guard isRunning else { return }
        kill(child, SIGTERM)
        for _ in 0..<200 {
            if waitpid(child, &status, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        // It does not want to.
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
    }

    /// Each image that is mapped keeps its file open, for its names. A command was made with the limit as it was.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func loop(start: () throws -> Void = {}, isDone: () -> Bool) throws {
        event = try unwinder.start(.cycles, frequency: frequency)
        let began = ContinuousClock.now
        try start()
        while !isDone(), !signals.isStopWanted() {
            elapsed = ContinuousClock.now - began
            if let duration, elapsed >= .seconds(duration) { break }
            unwinder.wait(milliseconds: 50, or: signals.descriptor)
            try recorder.collect()
        }
        elapsed = ContinuousClock.now - began
        unwinder.stop()
        try recorder.collect()
    }

    private static func problem(_ status: Int32) -> String? {
        if status & 0x7f != 0 { return "the command was ended by signal \(status & 0x7f)" }
        let code = status >> 8 & 0xff
        return code == 0 ? nil : "the command ended with exit code \(code)"
    }
}

/// Ctrl-C and the end of a child, as something to wait for.
final class SignalDescriptor {
    let descriptor: Int32
    private var isStopSeen = false

    init() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&signals, signal) }
        guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else { throw Failure("signals can't be blocked") }
        descriptor = signalfd(-1, &signals, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        guard descriptor >= 0 else { throw Failure("signals can't be read: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Whether somebody wants it to end.
    func isStopWanted() -> Bool {
        var info = signalfd_siginfo()
        while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
            if Int32(bitPattern: info.ssi_signo) != SIGCHLD { isStopSeen = true }
        }
        return isStopSeen
    }
}
