import Files
@testable import ProfileFormats
import Testing

/// Profiles for the Firefox Profiler.
@Suite struct FirefoxTests {
    private func written(_ made: MadeProfile) throws -> FirefoxProfile {
        var output = Bytes()
        try FirefoxFormat().write(made.profile, to: &output)
        return try FirefoxProfile(output.bytes)
    }

    @Test func threadsAreTracksWithTheirSamplesInOrder() throws {
        let profile = try written(.timed)
        let texts = profile.threads.map { thread in
            let samples = profile.samples(of: thread).map { "\($0.time) \($0.names.joined(separator: ";"))" }
            return [thread["pid"], thread["tid"], thread["processName"], thread["name"]].map { $0 as? String ?? "" }
                + samples
        }
        #expect(
            texts == [
                ["7", "7", "thread", "thread", "0.0 main;a;read", "10.0 main;a;b", "980.0 main;a"],
                ["7", "8", "thread", "worker 1", "5.0 start;work", "8.0 [truncated];a"],
                ["9", "9", "other", "other", "20.0 outer;\\x0a;inner\\x01\\", "30.0 "],
            ])
        #expect(profile.threads.map { $0["isMainThread"] as? Bool } == [true, false, true])
        // Milliseconds since 1970, of the first sample: 18 ms after the moment that both clocks tell.
        #expect(profile.meta["startTime"] as? Double == 1_700_000_000_018)
        #expect(profile.meta["interval"] as? Double == 10)
    }

    /// A thread that slept for nearly a second used the CPU for one interval of it.
    @Test func sleepIsNotTimeOfTheCPU() throws {
        let profile = try written(.timed)
        let samples = FirefoxProfile.Table(profile.threads[0]["samples"], "samples")
        #expect(samples.integers("threadCPUDelta") == [0, 10_000, 10_000])
    }

    @Test func framesHaveAddressesCategoriesAndLines() throws {
        let profile = try written(.timed)
        let frames = profile.table("frameTable")
        let names = frames.integers("func").map { profile.strings[profile.table("funcTable").integers("name")[$0!]!] }
        let categories = profile.meta["categories"] as? [[String: Any]] ?? []
        let texts = names.indices.map { index in
            let category = categories[frames.integers("category")[index]!]["name"] as? String ?? ""
            return "\(names[index]) \(frames.integers("address")[index]!) \(category)"
                + " \(frames.integers("inlineDepth")[index]!) \(frames.integers("line")[index] ?? 0)"
        }
        // The caller's address is in the call; the kernel's is too large for a number of JSON.
        for text in [
            "main -1 User 0 0", "read -1 Kernel 0 0", "a 4112 User 0 0", "b 8192 User 0 0",
            "outer;\\x0a 12288 User, guessed 0 0", "inner\\x01\\ 12288 User, inlined 1 12", "[truncated] -1 Other 0 0",
        ] { #expect(texts.contains(text), "\(text) in \(texts)") }
        #expect(profile.table("sources").integers("filename").map { profile.strings[$0!] } == ["/src/b.c"])
    }

    @Test func librariesHaveBothKindsOfIdentifiers() throws {
        #expect(
            FirefoxTables.breakpadID("510d0a5c19eadf8043f203b4525be9be3dcb9554") == "5C0A0D51EA1980DF43F203B4525BE9BE0")
        #expect(FirefoxTables.breakpadID("") == String(repeating: "0", count: 33))
        let lib = try #require(try written(.timed).libs.first { $0["path"] as? String == "/bin/program" })
        #expect(lib["name"] as? String == "program" && lib["codeId"] as? String == "c0ffee")
    }

    @Test func waitsWeighTheirTime() throws {
        var made = MadeProfile(.nanoseconds, event: "clock")
        (made.profile.frequency, made.profile.includesWaits) = (100, true)
        made.add(["run"], at: 10, weight: 1e7)
        made.add(["wait"], at: 12, waited: 500.25)
        made.add(["run"], at: 515, weight: 1e7)
        let profile = try written(made)
        #expect(profile.samples(of: profile.threads[0]).map(\.weight) == [10, 500.25, 10])
        let samples = FirefoxProfile.Table(profile.threads[0]["samples"], "samples")
        #expect(samples.columns["weightType"] as? String == "tracing-ms")
        // 2 ms before the wait, and 2.75 after it.
        #expect(samples.integers("threadCPUDelta") == [0, 2000, 2750])
    }

    @Test func withoutTimesThereIsNoProfile() {
        var output = Bytes()
        #expect(throws: NoTimes.self) { try FirefoxFormat().write(MadeProfile(folded: ["a;b 1"]).profile, to: &output) }
        #expect(output.bytes.isEmpty)
    }
}
