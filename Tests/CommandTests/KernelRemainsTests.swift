import CLibbpf
import Foundation
import enum TestFixtures.HostKernel
import class TestFixtures.RunningProgram
import Testing

/// What is left of `cfic profile` in the kernel when it was killed, and what a signal leaves behind.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct KernelRemainsTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// The kernel's BPF programs, maps and links that a process has descriptors of.
    private struct Objects {
        var programs: Set<UInt32> = [], maps: Set<UInt32> = [], links: Set<UInt32> = []

        init() {}

        /// Descriptors that are closed meanwhile are left out.
        init(of process: Int32) {
            let directory = "/proc/\(process)/fdinfo"
            for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
                guard let text = try? String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8) else { continue }
                // A link also tells its program.
                if let id = Self.field("link_id", text) {
                    links.insert(id)
                } else if let id = Self.field("prog_id", text) {
                    programs.insert(id)
                } else if let id = Self.field("map_id", text) {
                    maps.insert(id)
                }
            }
        }

        private static func field(_ name: String, _ text: String) -> UInt32? {
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            return line.flatMap { UInt32($0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)) }
        }

        /// Those that the kernel still has. It frees them when no CPU can be using them any more, so this waits for that,
        /// at most half a minute.
        func remaining() -> Objects {
            var left = self
            let start = ContinuousClock.now
            repeat {
                left.programs = left.programs.filter { Self.isThere(bpf_prog_get_fd_by_id($0)) }
                left.maps = left.maps.filter { Self.isThere(bpf_map_get_fd_by_id($0)) }
                left.links = left.links.filter { Self.isThere(bpf_link_get_fd_by_id($0)) }
                if left.count == 0 { break }
                usleep(10_000)
            } while ContinuousClock.now - start < .seconds(30)
            return left
        }

        private static func isThere(_ descriptor: Int32) -> Bool {
            if descriptor >= 0 { close(descriptor) }
            return descriptor >= 0
        }

        var count: Int { programs.count + maps.count + links.count }
    }

    private func start(_ arguments: String) throws -> RunningProgram {
        try RunningProgram(
            ["/bin/bash", "-c", "cd \(place.directory) && exec \(try Workplace.program()) profile \(arguments)"],
            environment: ["CFIC_CACHE": place.cache])
    }

    /// The process's objects when it has the links of a running recording, within half a minute.
    private func objects(of program: RunningProgram, links: Int) throws -> Objects {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(30) {
            let objects = Objects(of: program.id)
            if objects.links.count >= links { return objects }
            usleep(1000)
        }
        throw TestFailure("it does not sample: \(Objects(of: program.id))")
    }

    /// Fork, exec, and an event on each CPU; or an event that runs on all CPUs; or the scheduler's tracepoint besides.
    @Test(
        arguments: [
            ("-a -o stacks", nil), ("-a -o stacks -e sched:sched_switch", 3), ("-a -o stacks --off-cpu -F 99", nil),
        ] as [(String, Int?)])
    func killedProfilerLeavesNothingInTheKernel(arguments: String, links: Int?) throws {
        let program = try start(arguments)
        let objects = try objects(of: program, links: links ?? 3)
        #expect(objects.programs.count >= 3 && objects.maps.count >= 8, "\(objects)")
        program.end()
        #expect(objects.remaining().count == 0, "\(objects.remaining())")
        #expect(try place.shell("ls").output.split(separator: "\n").filter { $0 != "cache" } == [])
    }

    /// While programs are loaded and attached, and afterwards.
    @Test func itCanBeKilledAtAnyTime() throws {
        for delay in 0..<10 {
            let program = try start("-a -o stacks")
            usleep(UInt32(delay) * 30_000)
            let objects = Objects(of: program.id)
            program.end()
            #expect(objects.remaining().count == 0, "after \(delay * 30) ms: \(objects.remaining())")
        }
        #expect(try place.shell("ls").output.split(separator: "\n").filter { $0 != "cache" } == [])
    }

    /// Either nothing was recorded, or what was recorded is written; and nothing is left in the kernel.
    @Test(arguments: ["INT", "TERM", "HUP"])
    func signalAtAnyTimeEndsItCleanly(signal: String) throws {
        for delay in 0..<8 {
            let outcome = try place.shell(
                """
                env --default-signal \(try Workplace.program()) profile -F 999 -o stacks -- \\
                    bash -c 'while :; do :; done' & profile=$!
                sleep 0.\(10 + delay * 6); kill -\(signal) $profile
                wait $profile 2> /dev/null; echo $?
                if [ -e stacks ]; then tail -c 1 stacks | od -An -c; rm stacks; fi
                """)
            let lines = outcome.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            let killed = ["INT": "130", "TERM": "143", "HUP": "129"][signal]
            // A shell that has not executed cfic yet is ended by the signal itself.
            #expect(
                lines == [killed] || lines == ["0", "\\n"] || lines == ["0"], "\(outcome.output)\(outcome.diagnostics)")
            #expect(outcome.isOrderly, "\(outcome.diagnostics)")
        }
        #expect(try place.shell("ls").output.split(separator: "\n").filter { $0 != "cache" } == [])
    }

    @Test func twoProfilersDoNotDisturbEachOther() throws {
        let outcome = try place.shell(
            """
            bash -c 'while :; do :; done' & busy=$!
            for number in 1 2; do
                \(try Workplace.program()) profile -F 999 -d 1 -p $busy --json -o stacks$number &
                profiles="$profiles $!"
            done
            wait $profiles; kill -KILL $busy; cat stacks1; echo; echo ---; cat stacks2
            """)
        struct Report: Decodable { var samples: Int, lostSamples: Int, completeStacks: Int }
        let texts = outcome.output.components(separatedBy: "\n---\n")
        try #require(texts.count == 2, "\(outcome.diagnostics)")
        for text in texts {
            let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
            #expect(report.samples > 20 && report.lostSamples == 0)
            #expect(report.completeStacks * 100 >= report.samples * 90, "\(report)")
        }
    }

    private static let rateLimit: Int = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/perf_event_max_sample_rate", encoding: .utf8)
        return text.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? .max
    }()

    @Test(.enabled(if: rateLimit < 100_000, "this kernel's limit is not below that of -F"))
    func rateAboveTheKernelsLimitIsNamed() throws {
        let limit = Self.rateLimit
        let outcome = try place.cfic("profile", "-F", "\(limit + 1)", "--", "true")
        #expect(outcome.code == 1 && outcome.diagnostics.contains("perf_event_max_sample_rate is \(limit)"))
    }
}
