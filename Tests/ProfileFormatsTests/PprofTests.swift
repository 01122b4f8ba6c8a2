import CZlib
import ELF
import Files
import Foundation
import KernelUnwinder
@testable import ProfileFormats
import Symbols
import TestFixtures
import Testing

/// Profiles for pprof.
@Suite struct PprofTests {
    static func decompressed(_ bytes: [UInt8]) throws -> [UInt8] {
        var stream = z_stream(), bytes = bytes
        try #require(inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var text = [UInt8](repeating: 0, count: 1 << 24)
        let code = bytes.withUnsafeMutableBufferPointer { input in
            text.withUnsafeMutableBufferPointer { output in
                (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
                (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
                return inflate(&stream, Z_FINISH)
            }
        }
        try #require(code == Z_STREAM_END && stream.avail_in == 0)
        return Array(text.prefix(Int(stream.total_out)))
    }

    private func message(_ profile: NamedProfile) throws -> PprofProfile {
        var output = Bytes()
        try PprofFormat().write(profile, to: &output)
        return try PprofProfile(serializedBytes: Self.decompressed(output.bytes))
    }

    /// A message's text, with strings instead of their numbers.
    private func stack(_ sample: PprofSample, of message: PprofProfile) -> [String] {
        sample.locationID.map { id in
            let location = message.location[Int(id) - 1]
            let mapping = location.mappingID == 0 ? nil : message.mapping[Int(location.mappingID) - 1]
            let names = location.line.map { line in
                let function = message.function[Int(line.functionID) - 1]
                let file = message.stringTable[Int(function.filename)]
                return message.stringTable[Int(function.name)] + (file.isEmpty ? "" : " \(file):\(line.line)")
            }
            let module = mapping.map { message.stringTable[Int($0.filename)] } ?? "-"
            return names.joined(separator: " < ") + " @ \(module)+\(location.address.hex)"
        }
    }

    @Test func samplesHaveLocationsInnermostFirst() throws {
        let message = try message(ProfileSample.profile)
        #expect(
            message.sample.map { stack($0, of: message) } == [
                [
                    "schedule @ [kernel]+0x1004", "inner <int> a.cc:7 < middle a.cc:20 @ /lib/a.so+0x1010",
                    "main @ /bin/b+0x200f",
                ],
                ["main @ /bin/b+0x200f"],
                [],
            ])
        // 4 samples at 100 Hz are 40 ms.
        #expect(message.sample.map(\.value) == [[4, 40_000_000], [2, 20_000_000], [1, 10_000_000]])
        #expect(message.mapping.map(\.memoryLimit) == [0x3000, 0x2000, 0x2000])
        #expect(message.mapping.allSatisfy { $0.memoryStart == 0 && $0.hasFunctions_p })
        #expect(message.mapping.map(\.hasInlineFrames_p) == [false, true, false])
        #expect(message.mapping.map { message.stringTable[Int($0.buildID)] } == ["", "abcd", ""])
        let inner = message.function.first { message.stringTable[Int($0.name)] == "inner <int>" }
        #expect(inner.map { message.stringTable[Int($0.systemName)] } == "_Z5innerIiE")
    }

    /// `start..limit offset file`, for each mapping, and `address in mapping` for each location of all stacks.
    private func placed(_ made: MadeProfile) throws -> (mappings: [String], locations: [[String]]) {
        let message = try message(made.profile)
        let mappings = message.mapping.map {
            "\($0.memoryStart.hex)..\($0.memoryLimit.hex) \($0.fileOffset.hex) \(message.stringTable[Int($0.filename)])"
        }
        let locations = message.sample.map { sample in
            sample.locationID.map { id in
                let location = message.location[Int(id) - 1]
                return "\(location.address.hex) in \(location.mappingID)"
            }
        }
        return (mappings, locations)
    }

    /// A program whose code is mapped in two pieces, each at another distance from its offset in the file.
    private static func pieces(_ made: inout MadeProfile) -> [NamedProfile.Piece] {
        let module = made.module("/bin/program")
        return [
            .init(module: module, start: 0x40_1000, size: 0x2000, offset: 0x1000),
            .init(module: module, start: 0x40_5000, size: 0x1000, offset: 0x3000),
        ]
    }

    private static let placedFrames: [MadeProfile.Frame] = [
        .init("first", address: 0x40_1008), .init("other", address: 0x40_5010),
        .init("nowhere", [.exact], address: 0x40_4000),
    ]

    @Test func mappingsAreThoseThatTheProcessHad() throws {
        var made = MadeProfile()
        let pieces = Self.pieces(&made)
        let space = made.space([(pieces[0], 0x5500_0000_1000), (pieces[1], 0x5500_0000_5000)])
        made.add(Self.placedFrames, space: space)
        made.add([.init("other", address: 0x40_5010)], process: 8, space: space)
        let (mappings, locations) = try placed(made)
        #expect(
            mappings == [
                "0x0..0x405000 0x0 /bin/program", "0x550000001000..0x550000003000 0x1000 /bin/program",
                "0x550000005000..0x550000006000 0x3000 /bin/program",
            ])
        #expect(
            locations == [
                ["0x404000 in 1", "0x55000000500f in 3", "0x550000001007 in 2"], ["0x55000000500f in 3"],
            ])
    }

    /// One location stands for a place in the code, whichever process was there.
    @Test func whereProcessesDifferAddressesAreThoseOfTheFile() throws {
        var made = MadeProfile()
        let pieces = Self.pieces(&made)
        let frames = Array(Self.placedFrames.prefix(2))
        made.add(frames, space: made.space([(pieces[0], 0x5500_0000_1000)]))
        made.add(frames, process: 8, space: made.space([(pieces[0], 0x5500_0000_1000), (pieces[1], 0x5600_0000_5000)]))
        let (mappings, locations) = try placed(made)
        #expect(
            mappings == [
                "0x401000..0x403000 0x1000 /bin/program", "0x405000..0x406000 0x3000 /bin/program",
            ])
        #expect(locations == Array(repeating: ["0x40500f in 2", "0x401007 in 1"], count: 2))
    }

    /// Processes may map more or less of the same bytes.
    @Test func piecesThatOverlapAreOneMapping() throws {
        var made = MadeProfile()
        var pieces = [Self.pieces(&made)[0]]
        pieces.append(.init(module: pieces[0].module, start: 0x40_2000, size: 0x3000, offset: 0x2000))
        made.add([.init("a", [.exact], address: 0x40_1000)], space: made.space([(pieces[0], 0x1000)]))
        made.add([.init("b", [.exact], address: 0x40_4fff)], space: made.space([(pieces[1], 0x2000)]))
        let same = try placed(made)
        #expect(same.mappings == ["0x1000..0x5000 0x1000 /bin/program"])
        #expect(same.locations == [["0x1000 in 1"], ["0x4fff in 1"]])
        // The same bytes can't come from two offsets.
        pieces[1].offset = 0x9000
        made.add([.init("c", [.exact], address: 0x40_2000)], space: made.space([(pieces[1], 0x2000)]))
        let odd = try placed(made)
        #expect(odd.mappings == ["0x0..0x405000 0x0 /bin/program"])
        #expect(odd.locations == [["0x401000 in 1"], ["0x404fff in 1"], ["0x402000 in 1"]])
    }

    @Test func labelsTellWhoseStackItIs() throws {
        let message = try message(ProfileSample.profile)
        let labels = message.sample.map { sample in
            sample.label.map { label in
                let value = label.str == 0 ? "\(label.num)" : message.stringTable[Int(label.str)]
                return message.stringTable[Int(label.key)] + "=" + value
            }
        }
        #expect(
            labels == [
                ["thread=worker", "pid=7", "cgroup=/system.slice"],
                ["thread=other", "pid=8", "stack=truncated", "stack-end=no-rule"],
                ["thread=other", "pid=8", "stack=truncated", "stack-end=no-process"],
            ])
    }

    @Test func valuesAreInTheUnitOfTheProfile() throws {
        func types(_ change: (inout NamedProfile) -> Void) throws -> [String] {
            var profile = ProfileSample.profile
            change(&profile)
            let message = try message(profile)
            let all = message.sampleType + [message.periodType]
            return all.map { message.stringTable[Int($0.type)] + "/" + message.stringTable[Int($0.unit)] }
                + ["\(message.period)", "\(message.sample[0].value[1])"]
        }
        #expect(try types { _ in } == ["samples/count", "cpu/nanoseconds", "cpu/nanoseconds", "10000000", "40000000"])
        #expect(
            try types { ($0.unit, $0.event, $0.includesWaits, $0.frequency) = (.nanoseconds, "", true, nil) }
                == ["samples/count", "off-cpu/nanoseconds", "/", "0", "4"])
        #expect(
            try types { ($0.unit, $0.includesWaits) = (.nanoseconds, true) }
                == ["samples/count", "wall/nanoseconds", "cpu/nanoseconds", "10000000", "4"])
        #expect(
            try types { ($0.unit, $0.event, $0.period) = (.events, "page-faults", 1) }
                == ["samples/count", "page-faults/count", "page-faults/count", "1", "4"])
    }

    @Test func statesAreToldApartOnlyWhereThereAreTwo() throws {
        func states(event: String) throws -> [[String]] {
            var profile = ProfileSample.profile
            (profile.unit, profile.includesWaits, profile.event) = (.nanoseconds, true, event)
            let message = try message(profile)
            return message.sample.map { sample in
                sample.label.filter { message.stringTable[Int($0.key)] == "state" }
                    .map { message.stringTable[Int($0.str)] }
            }
        }
        #expect(try states(event: "clock") == [["on-cpu"], ["on-cpu"], ["off-cpu"]])
        #expect(try states(event: "") == [[], [], []])
    }

    @Test func equalProfilesAreEqualBytes() throws {
        var one = Bytes(), other = Bytes()
        try PprofFormat().write(ProfileSample.profile, to: &one)
        try PprofFormat().write(ProfileSample.profile, to: &other)
        #expect(one.bytes == other.bytes && one.bytes.prefix(10) == [31, 139, 8, 0, 0, 0, 0, 0, 0, 3])
    }

    /// It is written in pieces.
    @Test func longProfileIsWhole() throws {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1)
        let end = profile.name("end-of-stack")
        for number in 0..<20_000 {
            let name = profile.name("function \(number)")
            let frame = profile.number(
                of: .init(function: name, symbol: name, module: nil, address: UInt64(number), file: profile.noName))
            profile.add(
                .init(
                    node: profile.node(of: frame, calledFrom: 0), process: 0, thread: name, cgroup: profile.noName,
                    isWaiting: false, end: end, outcome: .complete), .init(samples: number, total: Double(number)))
        }
        let message = try message(profile)
        #expect(message.sample.map { $0.value[0] } == Array(0..<20_000))
        #expect(
            message.sample.map { stack($0, of: message)[0] }
                == (0..<20_000).map { "function \($0) @ -+\(max($0 - 1, 0).hex)" })
    }

    /// Numbers that don't fit are the nearest that do.
    @Test func hugeWeightsAreWritten() throws {
        var profile = ProfileSample.profile
        (profile.unit, profile.seconds) = (.nanoseconds, 1e300)
        profile.add(profile.stacks[0].stack, .init(samples: 1, total: 1e300))
        let message = try message(profile)
        #expect(message.durationNanos == .max && message.sample[0].value == [5, .max])
    }

    @Test func profileWithoutSamplesIsOne() throws {
        let message = try message(NamedProfile(unit: .samples, event: "clock", seconds: 0))
        #expect(message.sample.isEmpty && message.sampleType.count == 2 && message.stringTable[0] == "")
    }

    /// What google/pprof makes of it.
    @Test(.enabled(if: Pprof.canBeBuilt, "\(Pprof.need)"))
    func pprofReadsIt() throws {
        let fixture = try Fixture()
        let program = try Pprof.build(in: fixture)
        var output = Bytes()
        try PprofFormat().write(ProfileSample.profile, to: &output)
        let path = try fixture.write(output.bytes, to: "profile.pb.gz")
        func pprof(_ options: String...) throws -> [[Substring]] {
            try run(words: [program] + options + [path]).split(separator: "\n").map { $0.split(separator: " ") }
        }
        let top = try pprof("-top", "-nodecount=10")
        #expect(top.contains { $0.first == "Duration:" && $0.contains("1.50s,") && $0.contains("70ms") }, "\(top)")
        #expect(top.contains(["40ms", "57.14%", "57.14%", "40ms", "57.14%", "schedule"]), "\(top)")
        #expect(top.contains(["20ms", "28.57%", "85.71%", "60ms", "85.71%", "main"]), "\(top)")
        #expect(top.contains { $0.first == "0" && $0.contains("inner") && $0.contains("(inline)") }, "\(top)")
        let filtered = try pprof("-top", "-sample_index=samples", "-tagfocus=pid=8")
        #expect(filtered.contains { $0.first == "2" && $0.last == "main" }, "\(filtered)")
        let raw = try pprof("-raw")
        #expect(raw.contains { $0.contains("/lib/a.so") && $0.contains("abcd") }, "\(raw)")
    }
}

/// What google/pprof finds in files by the mappings.
@Suite(.enabled(if: Pprof.canBeBuilt, "\(Pprof.need)"), .timeLimit(.minutes(30))) struct PprofInstructionsTests {
    /// Code whose addresses are not its offsets in the file: of one process, and of two that had it in different places.
    @Test func pprofFindsInstructions() throws {
        let fixture = try Fixture(), pprof = try Pprof.build(in: fixture)
        // No program executes hlt. Pages of data come before it.
        let path = try fixture.library(
            ".section .rodata\n.fill 0x3000\n"
                + ".text\n.globl halts\n.type halts, @function\nhalts:\nnop\nnop\nhlt\nret\n.size halts, 4\n",
            named: "f.so")
        let segments = try ELFImage(path: path).segments
        let code = try #require(segments.first { $0.isLoad && $0.isExecutable })
        try #require(code.virtualAddress != code.offset && code.offset >= 0x3000)
        for starts in [[0x7f00_0000_0000], [0x7f00_0000_0000, 0x7e00_0000_1000]] as [[UInt64]] {
            var made = MadeProfile()
            made.buildID = ""
            let piece = NamedProfile.Piece(
                module: made.module(path), start: code.virtualAddress & ~0xfff, size: 0x1000,
                offset: code.offset & ~0xfff)
            for (process, start) in starts.enumerated() {
                made.add(
                    [.init("halts", .exact, module: path, address: code.virtualAddress + 2)], 3,
                    process: Int32(process), space: made.space([(piece, start)]))
            }
            var output = Bytes()
            try PprofFormat().write(made.profile, to: &output)
            let file = try fixture.write(output.bytes, to: "f.pb.gz")
            let text = try run(words: [pprof, "-disasm=halts", file], environment: ["HOME": fixture.directory])
            let lines = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
            #expect(lines.contains { $0.hasPrefix("\(3 * starts.count)ns ") && $0.contains("hlt") }, "\(text)")
        }
    }
}

/// A small profile that has all there is.
enum ProfileSample {
    static let profile: NamedProfile = {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1.5)
        profile.frequency = 100
        func module(_ path: String, _ buildID: String = "") -> UInt32 {
            profile.number(of: .init(path: profile.name(path), buildID: profile.name(buildID)))
        }
        func frame(
            _ function: String, _ symbol: String? = nil, in module: UInt32, at address: UInt64,
            line: (file: String, number: UInt32) = ("", 0), _ marks: NamedProfile.Marks = []
        ) -> UInt32 {
            profile.number(
                of: .init(
                    function: profile.name(function), symbol: profile.name(symbol ?? function), module: module,
                    address: address, file: profile.name(line.file), line: line.number, marks: marks))
        }
        func node(_ frames: [UInt32]) -> UInt32 {
            frames.reduce(0) { profile.node(of: $1, calledFrom: $0) }
        }
        let executable = module("/bin/b"), library = module("/lib/a.so", "abcd"), kernel = module("[kernel]")
        let main = frame("main", in: executable, at: 0x2010)
        let middle = frame("middle", in: library, at: 0x1010, line: ("a.cc", 20), .exact)
        let inner = frame("inner <int>", "_Z5innerIiE", in: library, at: 0x1010, line: ("a.cc", 7), [.inlined, .exact])
        let schedule = frame("schedule", in: kernel, at: 0x1004, [.kernel, .exact])
        func stack(
            _ frames: [UInt32], _ process: Int32, _ thread: String, cgroup: String = "", waits: Bool = false,
            _ end: String, _ outcome: StackOutcome
        ) -> NamedProfile.Stack {
            .init(
                node: node(frames), process: process, thread: profile.name(thread), cgroup: profile.name(cgroup),
                isWaiting: waits, end: profile.name(end), outcome: outcome)
        }
        profile.add(
            stack([main, middle, inner, schedule], 7, "worker", cgroup: "/system.slice", "end-of-stack", .complete),
            .init(samples: 4, total: 4))
        profile.add(stack([main], 8, "other", "no-rule", .truncated), .init(samples: 2, total: 2))
        profile.add(stack([], 8, "other", waits: true, "no-process", .truncated), .init(samples: 1, total: 1))
        return profile
    }()
}
