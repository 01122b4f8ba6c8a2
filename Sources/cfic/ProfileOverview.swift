import Files
import Glibc
import KernelUnwinder
import LinuxProcess
import Profile
import ProfileFormats
import Symbols

/// What a user at a terminal sees of a profile: the hottest functions, how complete the stacks are, and what to do next.
struct ProfileOverview {
    private let recording: Recording
    private let profile: NamedProfile
    private let totals: Stacks.Totals
    /// Of the terminal.
    private let columns: Int

    init(_ profile: RecordedProfile, columns: Int = Terminal.columns(of: STDOUT_FILENO)) {
        (recording, self.profile, totals) = (profile.recording, profile.named, profile.recording.stacks.totals)
        self.columns = columns
    }

    /// What else could be recorded.
    struct Hints {
        var isEveryone: Bool
        var inlines: Bool
        var waits: Bool
    }

    /// - Parameter path: of the page that was written; nil if it could not be written.
    func write(page path: String?, _ hints: Hints) {
        var output = StandardOutput()
        writeFunctions(to: &output)
        writeStacks(to: &output)
        if let path {
            output.line()
            output.line("Open in a browser: \(path)", .bold)
        }
        let next = suggestions(hints)
        if !next.isEmpty {
            output.line("Try next, with cfic profile:")
            let table = next.reduce(into: TextTable(left: [0, 1])) { $0.add(["  " + $1.options, $1.shows]) }
            for line in table.lines { output.line(line, .dim) }
        }
        output.flush()
    }

    // MARK: Functions

    private static let functionCount = 10

    private func writeFunctions(to output: inout StandardOutput) {
        let total = profile.total.total
        var table = TextTable(["SELF", "TOTAL", "FUNCTION", "MODULE"], left: [2, 3])
        for row in ProfileTotals(profile, by: .function).rows.prefix(Self.functionCount) where row.own > 0 {
            let module = Self.shortened(String(row.module.split(separator: "/").last ?? row.module[...]), to: 30)
            let room = max(20, columns - Self.percent(1).count * 2 - module.count - 6)
            table.add([
                Self.percent(row.own / total), Self.percent(row.total / total), Self.shortened(row.name, to: room),
                module,
            ])
        }
        for (index, line) in table.lines.enumerated() { output.line(line, index == 0 ? .bold : nil) }
    }

    /// A tenth of a percent is more than most recordings can tell.
    private static func percent(_ share: Double) -> String { Quantity.fixed(share * 100, 1) + " %" }

    private static func shortened(_ text: String, to length: Int) -> String {
        text.count <= length ? text : text.prefix(length - 3) + "..."
    }

    // MARK: Stacks

    private func writeStacks(to output: inout StandardOutput) {
        output.line()
        output.line(ProfileSummary.samples(recording, totals))
        if recording.includesWaits { output.line(ProfileSummary.waits(totals)) }
        func line(_ count: Int, _ text: String) {
            guard count > 0 else { return }
            output.line("\(Self.padded(Quantity.percent(Double(count) / Double(totals.samples))))  \(text)")
        }
        line(totals.outcomes[.complete] ?? 0, "of the stacks are complete: each frame was found by a rule")
        line(totals.outcomes[.guessed] ?? 0, "are complete, but some frames are guesses")
        line(totals.outcomes[.truncated] ?? 0, "are truncated" + (reasons.isEmpty ? "" : ", most of them because"))
        for (end, count) in reasons { line(count, "  \(end)") }
        line(totals.finishedStacks, "were finished in user space")
    }

    /// The most frequent reasons why stacks are truncated.
    private var reasons: [(end: StackEnd, count: Int)] {
        totals.ends.filter { !$0.key.isOutermost }.map { ($0.key, $0.value) }
            .sorted { ($1.1, $0.0.code) < ($0.1, $1.0.code) }.prefix(3).map { $0 }
    }

    private static func padded(_ text: String) -> String {
        String(repeating: " ", count: max(0, 9 - text.count)) + text
    }

    // MARK: What to do next

    private typealias Suggestion = (options: String, shows: String)

    private func suggestions(_ hints: Hints) -> [Suggestion] {
        var next: [Suggestion] = []
        if hints.isEveryone, let (process, name) = busiestProcess {
            next.append(("-p \(process)", "only \(name), the busiest process"))
        }
        if !hints.waits { next.append(("--off-cpu", "where threads wait, rather than run")) }
        if !hints.inlines { next.append(("--inline", "inlined functions, too")) }
        next.append(("-o cpu.pb.gz", "for pprof; also .json.gz for profiler.firefox.com, .svg, .folded"))
        return next
    }

    /// The process with the largest share that still runs, other than this one, by the name of its busiest thread.
    private var busiestProcess: (process: Int32, name: String)? {
        var weights: [Int32: Double] = [:]
        var threads: [Int32: (name: String, weight: Double)] = [:]
        for (stack, weight) in profile.stacks where stack.process > 0 && stack.process != getpid() {
            weights[stack.process, default: 0] += weight.total
            if weight.total > threads[stack.process]?.weight ?? -1 {
                threads[stack.process] = (profile.names[stack.thread], weight.total)
            }
        }
        let byWeight = weights.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        guard let process = byWeight.first(where: { Self.isRunning($0.key) })?.key else { return nil }
        return (process, threads[process]?.name ?? "")
    }

    private static func isRunning(_ process: Int32) -> Bool { kill(process, 0) == 0 || errno == EPERM }
}
