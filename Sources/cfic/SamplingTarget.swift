import ArgumentParser
import Profile

/// What a command samples: the named processes, a command that it runs, or the whole machine if neither is given.
struct SamplingTarget {
    var processes: [Int32]
    /// The program and its arguments.
    var command: [String]

    var isEveryone: Bool { processes.isEmpty && command.isEmpty }

    func record(by profiler: Profiler) throws(ProfileError) -> Recording {
        if !command.isEmpty { return try profiler.record(command: command) }
        return isEveryone ? try profiler.recordEveryone() : try profiler.record(processes: processes)
    }

    /// Checks the options that say what is sampled, and for how long.
    static func check(processes: [Int32], duration: Double?) throws {
        if let process = processes.first(where: { $0 < 1 }) { throw ValidationError("\(process) is not a process id.") }
        if let duration, !(duration > 0 && duration <= 1e6) {
            throw ValidationError("-d takes seconds, above 0 and at most 1000000.")
        }
    }
}
