import Foundation
import Testing

/// A profile in the Firefox Profiler's processed format, checked against the types that
/// github.com/firefox-devtools/profiler documents in src/types/profile.ts, and samply writes.
struct FirefoxProfile {
    let root: [String: Any]

    /// Reads what was written, and checks it.
    init(_ bytes: [UInt8]) throws {
        let document = try JSONSerialization.jsonObject(with: Data(PprofTests.decompressed(bytes)))
        root = try #require(document as? [String: Any])
        try check()
    }

    var meta: [String: Any] { root["meta"] as? [String: Any] ?? [:] }
    var libs: [[String: Any]] { root["libs"] as? [[String: Any]] ?? [] }
    var threads: [[String: Any]] { root["threads"] as? [[String: Any]] ?? [] }
    var shared: [String: Any] { root["shared"] as? [String: Any] ?? [:] }
    var strings: [String] { shared["stringArray"] as? [String] ?? [] }

    func table(_ name: String) -> Table { Table(shared[name], name) }

    /// Columns of equal length.
    struct Table {
        let name: String
        let columns: [String: Any]
        let length: Int

        init(_ value: Any?, _ name: String) {
            self.name = name
            columns = value as? [String: Any] ?? [:]
            length = columns["length"] as? Int ?? -1
        }

        /// A column of numbers; nil for null.
        func numbers(_ column: String) -> [Double?] {
            guard let all = columns[column] as? [Any] else { return [] }
            return all.map { $0 is NSNull ? nil : ($0 as? NSNumber)?.doubleValue ?? .nan }
        }

        func integers(_ column: String) -> [Int?] { numbers(column).map { $0.map { Int($0) } } }

        /// Fails unless the column is there and each value is in a range, or null if it may be.
        func check(_ column: String, in range: Range<Int>, orNull: Bool = false) {
            let values = numbers(column)
            #expect(values.count == length, "\(name).\(column)")
            for value in values {
                if let value {
                    #expect(value == value.rounded() && range.contains(Int(value)), "\(name).\(column): \(value)")
                } else {
                    #expect(orNull, "\(name).\(column): null")
                }
            }
        }

        /// Fails unless it has just these columns.
        func check(columns names: Set<String>) {
            #expect(Set(columns.keys).subtracting(["length"]) == names, "\(name)")
            #expect(length >= 0, "\(name).length")
        }
    }

    private func check() throws {
        for key in ["version", "preprocessedProfileVersion", "interval", "startTime", "processType", "stackwalk"] {
            #expect(meta[key] is NSNumber, "meta.\(key)")
        }
        #expect(meta["product"] is String && meta["markerSchema"] is [Any] && meta["symbolicated"] as? Bool == true)
        let categories = try #require(meta["categories"] as? [[String: Any]])
        let colors: Set = [
            "transparent", "purple", "green", "orange", "yellow", "lightblue", "blue", "brown", "magenta", "red",
            "lightred", "darkgrey", "grey",
        ]
        #expect(categories.allSatisfy { colors.contains($0["color"] as? String ?? "") && $0["name"] is String })
        #expect(categories.allSatisfy { ($0["subcategories"] as? [String])?.first == "Other" })
        #expect(categories.first?["color"] as? String == "grey")
        for lib in libs {
            for key in ["name", "path", "debugName", "debugPath", "breakpadId"] {
                #expect(lib[key] is String, "\(key)")
            }
            #expect((lib["breakpadId"] as? String)?.count == 33)
            #expect(lib["codeId"] is String || lib["codeId"] is NSNull)
        }
        checkTables(categories.count)
        for thread in threads { try check(thread) }
    }

    private func checkTables(_ categoryCount: Int) {
        let frames = table("frameTable"), functions = table("funcTable"), stacks = table("stackTable")
        let resources = table("resourceTable"), sources = table("sources"), symbols = table("nativeSymbols")
        stacks.check(columns: ["frame", "prefix"])
        stacks.check("frame", in: 0..<frames.length)
        for (index, prefix) in stacks.integers("prefix").enumerated() {
            #expect(prefix.map { (0..<index).contains($0) } ?? true, "a stack comes before its prefix")
        }
        frames.check(columns: [
            "address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol", "innerWindowID", "line",
            "column",
        ])
        frames.check("address", in: -1..<1 << 53)
        frames.check("inlineDepth", in: 0..<100)
        frames.check("category", in: 0..<categoryCount)
        frames.check("subcategory", in: 0..<1)
        frames.check("func", in: 0..<functions.length)
        frames.check("nativeSymbol", in: 0..<max(1, symbols.length), orNull: true)
        frames.check("innerWindowID", in: 0..<1)
        frames.check("line", in: 1..<1 << 32, orNull: true)
        frames.check("column", in: 1..<1 << 32, orNull: true)
        functions.check(columns: ["name", "isJS", "relevantForJS", "resource", "source", "lineNumber", "columnNumber"])
        functions.check("name", in: 0..<strings.count)
        for column in ["isJS", "relevantForJS"] {
            #expect((functions.columns[column] as? [Bool])?.count == functions.length)
        }
        functions.check("resource", in: -1..<resources.length)
        functions.check("source", in: 0..<max(1, sources.length), orNull: true)
        functions.check("lineNumber", in: 1..<1 << 32, orNull: true)
        functions.check("columnNumber", in: 1..<1 << 32, orNull: true)
        resources.check(columns: ["lib", "name", "host", "type"])
        resources.check("lib", in: 0..<max(1, libs.count), orNull: true)
        resources.check("name", in: 0..<strings.count)
        resources.check("host", in: 0..<strings.count, orNull: true)
        resources.check("type", in: 0..<6)
        sources.check(columns: ["filename", "id", "startLine", "startColumn", "sourceMapURL"])
        sources.check("filename", in: 0..<strings.count)
        symbols.check(columns: ["libIndex", "address", "name", "functionSize"])
    }

    private func check(_ thread: [String: Any]) throws {
        for key in ["name", "processName", "processType", "pid", "tid"] { #expect(thread[key] is String, "\(key)") }
        for key in ["processStartupTime", "registerTime"] { #expect(thread[key] is NSNumber, "\(key)") }
        for key in ["processShutdownTime", "unregisterTime"] {
            #expect(thread[key] is NSNumber || thread[key] is NSNull, "\(key)")
        }
        #expect(thread["isMainThread"] is Bool && thread["pausedRanges"] is [Any])
        Table(thread["markers"], "markers")
            .check(columns: ["category", "data", "endTime", "name", "phase", "startTime"])
        let samples = Table(thread["samples"], "samples")
        samples.check("stack", in: 0..<table("stackTable").length, orNull: true)
        let times = samples.numbers("timeDeltas")
        #expect(times.count == samples.length && times.allSatisfy { $0 ?? -1 >= 0 })
        #expect(["samples", "tracing-ms"].contains(samples.columns["weightType"] as? String))
        if !(samples.columns["weight"] is NSNull) { #expect(samples.numbers("weight").count == samples.length) }
        if samples.columns["threadCPUDelta"] != nil {
            #expect(samples.numbers("threadCPUDelta").count == samples.length)
        }
    }

    /// The names of a stack's functions, the outermost first.
    func names(ofStack number: Int?) -> [String] {
        let stacks = table("stackTable"), frames = stacks.integers("frame"), prefixes = stacks.integers("prefix")
        let functions = table("frameTable").integers("func"), names = table("funcTable").integers("name")
        var found: [String] = []
        var next = number
        while let stack = next {
            found.append(strings[names[functions[frames[stack]!]!]!])
            next = prefixes[stack]
        }
        return found.reversed()
    }

    /// Each sample of a thread: its time in milliseconds, its weight, and the names of its stack.
    func samples(of thread: [String: Any]) -> [(time: Double, weight: Double, names: [String])] {
        let table = Table(thread["samples"], "samples")
        let weights = table.numbers("weight")
        var time = 0.0
        return zip(table.numbers("timeDeltas"), table.integers("stack")).enumerated().map { index, sample in
            time += sample.0 ?? .nan
            return (time, weights.isEmpty ? 1 : weights[index] ?? .nan, names(ofStack: sample.1))
        }
    }
}
