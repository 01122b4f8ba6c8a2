import Files
import KernelUnwinder
import Profile
import Symbols

/// Profiles for the Firefox Profiler: its processed format as JSON, compressed by gzip. Samples over time, a track for each
/// thread. docs/profiles.md says what is where in it.
public struct FirefoxFormat: NamedProfileFormat {
    public let tellsProcessesApart = true
    public let needsTimes = true

    /// The format has no options.
    public init() {}

    /// - Throws: ``NoTimes``, or if there is no memory to compress it.
    public func write(_ profile: NamedProfile, to output: inout some ByteSink) throws {
        guard let timeline = profile.timeline else { throw NoTimes() }
        // The usual level takes two and a half times as long for a file that is 4 % smaller.
        let gzip = try GzipSink(level: 3)
        let samples = timeline.sorted
        var text = PieceWriter()
        var tables = FirefoxTables(profile)
        let threads = FirefoxThreads(profile, samples)
        text.append("{\"meta\":")
        FirefoxMeta(profile, began: threads.began).append(to: &text)
        text.append(",\"libs\":")
        tables.appendLibraries(to: &text)
        text.append(",\"pages\":[],\"counters\":[],\"profilerOverhead\":[],\"threads\":[")
        for (index, thread) in threads.all.enumerated() {
            if index > 0 { text.append(",") }
            threads.append(thread, tables, to: &text) { $0.flushIfLarge(gzip, to: &output) }
        }
        text.append("],\"shared\":")
        tables.append(to: &text) { $0.flushIfLarge(gzip, to: &output) }
        text.append("}\n")
        text.flush(gzip, to: &output)
        gzip.finish(to: &output)
    }
}

/// What the profile is of.
private struct FirefoxMeta {
    private let profile: NamedProfile
    private let began: UInt64

    /// The version of the processed format: github.com/firefox-devtools/profiler, docs-developer/CHANGELOG-formats.md. The
    /// profiler upgrades older ones.
    private static let version = 62
    /// The version of the format that Firefox itself writes, which this one was in step with.
    private static let geckoVersion = 24

    /// - Parameter began: the time that others are relative to, by CLOCK_MONOTONIC.
    init(_ profile: NamedProfile, began: UInt64) { (self.profile, self.began) = (profile, began) }

    func append(to text: inout PieceWriter) {
        text.append("{\"version\":\(Self.geckoVersion),\"preprocessedProfileVersion\":\(Self.version)")
        text.append(",\"product\":\"cfic\",\"importedFrom\":\"cfic\",\"processType\":0,\"stackwalk\":1,\"debug\":false")
        text.append(",\"interval\":")
        text.append(FirefoxTime.milliseconds(profile.frequency.map { 1e9 / Double($0) } ?? 1e6))
        text.append(",\"startTime\":")
        text.append(FirefoxTime.milliseconds(wallTime ?? 0))
        text.append(",\"startTimeAsClockMonotonicNanosecondsSinceBoot\":\(began)")
        text.append(",\"symbolicated\":true,\"usesOnlyOneStackType\":true,\"sourceCodeIsNotOnSearchfox\":true")
        text.append(",\"pausedRanges\":[],\"markerSchema\":[]")
        text.append(",\"extensions\":{\"length\":0,\"baseURL\":[],\"id\":[],\"name\":[]}")
        text.append(",\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"µs\"}")
        text.append(",\"categories\":[")
        for (index, category) in FirefoxCategory.allCases.enumerated() {
            if index > 0 { text.append(",") }
            text.append("{\"name\":\"\(category.name)\",\"color\":\"\(category.color)\",\"subcategories\":[\"Other\"]}")
        }
        text.append("]}")
    }

    /// In nanoseconds since 1970.
    private var wallTime: Double? {
        guard let anchor = profile.timeline?.anchor else { return nil }
        return Double(anchor.wall) + (Double(began) - Double(anchor.monotonic))
    }
}

/// What code is of, which tracks and call trees show by colour.
enum FirefoxCategory: Int, CaseIterable {
    /// The default of the format, which has to be there.
    case other, user, kernel, guessed, inlined

    init(_ marks: NamedProfile.Marks) {
        self =
            marks.contains(.kernel)
            ? .kernel : marks.contains(.guessed) ? .guessed : marks.contains(.inlined) ? .inlined : .user
    }

    var name: String {
        switch self {
        case .other: "Other"
        case .user: "User"
        case .kernel: "Kernel"
        case .guessed: "User, guessed"
        case .inlined: "User, inlined"
        }
    }

    /// One of those that the format knows.
    var color: String {
        switch self {
        case .other: "grey"
        case .user: "yellow"
        case .kernel: "orange"
        case .guessed: "purple"
        case .inlined: "green"
        }
    }
}

enum FirefoxTime {
    /// Nanoseconds as milliseconds, to the microsecond.
    static func milliseconds(_ nanoseconds: Double) -> String {
        var text = PieceWriter()
        append(microseconds: Int(exactly: (nanoseconds / 1000).rounded()) ?? 0, to: &text)
        return text.text
    }

    /// As milliseconds.
    static func append(microseconds: Int, to text: inout PieceWriter) {
        if microseconds < 0 { text.append("-") }
        text.append(decimal: UInt64(microseconds.magnitude / 1000))
        let rest = UInt64(microseconds.magnitude % 1000)
        guard rest > 0 else { return }
        text.append(".")
        text.append(decimal: rest, digits: 3)
    }
}
