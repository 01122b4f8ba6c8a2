import Files
import KernelUnwinder
import Profile
@testable import ProfileFormats
import Symbols
import Testing

/// .cfic files.
@Suite struct CFICFileTests {
    private static func file(_ profile: NamedProfile) throws -> [UInt8] {
        var output = Bytes()
        try CFICFormat().write(profile, to: &output)
        return output.bytes
    }

    private static func error(_ file: [UInt8]) -> ProfileFileError? {
        do throws(ProfileFileError) {
            _ = try ProfileReader.read(file, path: "a.cfic")
            return nil
        } catch { return error }
    }

    private static func file(contents: [UInt8]) throws -> [UInt8] {
        CFICFile.header + (try XZ.compressed(contents, .numbers))
    }

    private static func contents(_ profile: NamedProfile) throws -> [UInt8] {
        var reader = try NumberReader(try file(profile)), contents: [UInt8] = []
        while let byte = try? reader.byte() { contents.append(byte) }
        return contents
    }

    // MARK: Round trips

    @Test func profileIsReadAsItWasWritten() throws {
        for profile in [MadeUpProfile.small, MadeUpProfile.profile(seed: 3), ProfileSample.profile] {
            expectSame(try ProfileReader.read(Self.file(profile), path: ""), profile)
        }
    }

    @Test(arguments: NamedProfile.Unit.allCases) func weightsAreExact(unit: NamedProfile.Unit) throws {
        var profile = MadeUpProfile.profile(seed: 5)
        profile.unit = unit
        let thread = profile.name("t")
        for (number, weight) in [0, 0.1, 1e300, Double(1 << 53), .leastNonzeroMagnitude].enumerated() {
            profile.add(
                .init(
                    node: 0, process: Int32(number) - 2, thread: thread, cgroup: profile.noName,
                    isWaiting: number % 2 == 0, end: thread, outcome: .guessed),
                .init(samples: number, total: weight))
        }
        expectSame(try ProfileReader.read(Self.file(profile), path: ""), profile)
    }

    @Test func sameProfileIsTheSameFile() throws {
        #expect(try Self.file(MadeUpProfile.profile(seed: 1)) == Self.file(MadeUpProfile.profile(seed: 1)))
    }

    /// A name of a megabyte is longer than a chunk, and names may have any characters.
    @Test func oddNamesAreKept() throws {
        var made = MadeProfile()
        made.add([.init(String(repeating: "ab\u{0}c", count: 1 << 18)), "<script>", "\u{10ff80}\n", ""], 2)
        expectSame(try ProfileReader.read(Self.file(made.profile), path: ""), made.profile)
    }

    /// Readers refuse files that expand too much, so none may be written.
    @Test func profileThatRepeatsItselfIsReadAgain() throws {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1), node: UInt32 = 0
        let name = profile.name("f")
        let frame = profile.number(of: .init(function: name, symbol: name, module: nil, file: profile.noName))
        for _ in 0..<ProfileLimits.depth { node = profile.node(of: frame, calledFrom: node) }
        let stack = profile.add(
            .init(
                node: node, process: 0, thread: name, cgroup: profile.noName, isWaiting: false, end: name,
                outcome: .complete), .init(samples: 600_000, total: 600_000))
        var timeline = Timeline()
        for time in 0..<600_000 as Range<UInt64> {
            timeline.append(.init(time: time, thread: 1, cpu: 0, stack: stack))
        }
        profile.timeline = timeline
        let file = try Self.file(profile)
        expectSame(try ProfileReader.read(file, path: ""), profile)
        // Zeros make it large enough.
        #expect(file.count > 10_000 && file.suffix(4000).allSatisfy { $0 == 0 })
        #expect(Self.error(Array(file.dropLast(4)))?.problem.contains("it expands to more than") == true)
        #expect(Self.error(file + [0])?.problem == "it can't be decompressed")
    }

    /// In microseconds, as they were read.
    @Test(arguments: [nil, 99, 1_000_000, 3_000_000]) func timesAreKept(frequency: Int?) throws {
        var profile = ProfileSample.profile, timeline = Timeline(anchor: .init(monotonic: .max, wall: 1))
        profile.frequency = frequency
        var random = MadeUpProfile.Generator(seed: 9), expected: [Timeline.Sample] = []
        for number in 0..<100_000 as Range<UInt64> {
            let stack = Int.random(in: 0..<profile.stacks.count, using: &random)
            // Regular ones, gaps, and any.
            let time = number % 3 == 0 ? .random(in: 0 ... .max, using: &random) : number * 20_202_020
            var sample = Timeline.Sample(
                time: time, thread: .random(in: .min ... .max, using: &random),
                cpu: Bool.random(using: &random) ? nil : .random(in: 0..<300, using: &random), stack: stack,
                waited: profile.stacks[stack].stack.isWaiting ? .random(in: 0 ... .max, using: &random) : nil)
            timeline.append(sample)
            sample.time -= sample.time % 1000
            expected.append(sample)
        }
        profile.timeline = timeline
        let read = try ProfileReader.read(Self.file(profile), path: "")
        #expect(read.timeline.map(Array.init) == expected && read.timeline?.anchor == timeline.anchor)
    }

    /// A recording's nodes and frames come in the order of its stacks. Others don't, or have some that no stack has.
    @Test func nodesInAnyOrderAreRead() throws {
        var made = NamedProfile(unit: .samples, event: "cycles", seconds: 1)
        let module = made.number(of: .init(path: made.name("/a"), buildID: made.noName))
        var frames: [UInt32] = []
        for number in (0..<90 as Range<UInt32>).reversed() {
            let function = made.name("f\(number % 70)"), symbol = made.name("_Zf\(number % 70)")
            let file = made.name(number % 3 == 0 ? "" : "f.c")
            var frame = NamedProfile.Frame(
                function: function, symbol: symbol, module: number % 5 == 0 ? nil : module, file: file)
            frame.address = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
            frame.line = number &* 0x9e37_79b9
            frame.marks = number % 2 == 0 ? .inlined : number % 3 == 0 ? [.exact, .inferred] : []
            frames.append(made.number(of: frame))
        }
        // More callees of a function than have a place, each several times.
        var nodes: [UInt32] = []
        for number in 0..<400 {
            let parent = number < 100 ? made.node(of: frames[number % 2], calledFrom: 0) : nodes[number - 100]
            nodes.append(made.node(of: frames[number * 7 % 60], calledFrom: parent))
        }
        for (number, node) in nodes.reversed().enumerated() where number % 3 > 0 {
            made.add(
                .init(
                    node: node, process: Int32(number % 4), thread: made.name("t\(number % 3)"),
                    cgroup: made.noName, isWaiting: false, end: made.name("e"), outcome: .complete),
                .init(samples: number, total: Double(number)))
        }
        let file = try Self.file(made), read = try ProfileReader.read(file, path: "")
        expectSame(read, made)
        #expect(read.frames.count < made.frames.count && read.nodes.count < made.nodes.count)
        #expect(try Self.file(read) == file)
    }

    // MARK: Broken files

    @Test func anyBytePossiblyMissingIsNoticed() throws {
        let file = try Self.file(ProfileSample.profile)
        for count in 0..<file.count {
            let error = Self.error(Array(file[..<count]))
            #expect(error != nil && (error?.offset ?? 0) <= count, "\(count) of \(file.count): \(error as Any)")
        }
        #expect(Self.error(file + [0])?.problem == "it can't be decompressed")
        #expect(Self.error(Array(file[..<100]))?.description == "a.cfic: byte 100: the file is cut off")
    }

    @Test func anyChangedBitIsNoticed() throws {
        let file = try Self.file(ProfileSample.profile)
        for index in file.indices {
            for bit in 0..<8 {
                var changed = file
                changed[index] ^= 1 << bit
                #expect(Self.error(changed) != nil, "bit \(bit) of byte \(index)")
            }
        }
    }

    @Test func otherVersionIsNamed() throws {
        var file = try Self.file(ProfileSample.profile)
        for version in [1, 3] as [UInt8] {
            file[8] = version
            #expect(
                Self.error(file)?.description
                    == "a.cfic: byte 8: version \(version) of the format; this cfic reads version 2")
        }
    }

    /// Contents that no cfic writes, with correct checksums.
    @Test func contentsAreChecked() throws {
        let contents = try Self.contents(ProfileSample.profile)
        try #require(Self.error(Self.file(contents: contents)) == nil)
        #expect(try Self.error(Self.file(contents: contents + [0]))?.problem.contains("behind the end") == true)
        var refused = 0
        for index in contents.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff, contents[index] &+ 1] as [UInt8] {
                var changed = contents
                changed[index] = value
                if try Self.error(Self.file(contents: changed)) != nil { refused += 1 }
            }
            if try Self.error(Self.file(contents: Array(contents[..<index]))) == nil { Issue.record("\(index)") }
        }
        #expect(refused > contents.count)
    }

    @Test func expansionIsLimited() throws {
        // A text that never ends.
        let contents = try Self.contents(MadeUpProfile.small).prefix(24) + repeatElement(0x61, count: 1 << 24)
        let problem = try Self.error(Self.file(contents: Array(contents)))?.problem
        #expect(problem?.contains("it expands to more than") == true, "\(problem as Any)")
    }

    /// A list may not be longer than the file has something for its elements: it would be in memory first.
    @Test func countsAreNotTrusted() throws {
        var numbers = NumberWriter()
        // Facts; the empty name; no modules; one stack, of very many nodes below the root.
        for _ in 0..<4 { numbers.number(0) }
        numbers.double(1)
        numbers.number(0)
        numbers.text("")
        numbers.number(1)
        numbers.text("")
        for number in [0, 1, 1 << 32 - 3, 0] { numbers.number(number) }
        let problem = try Self.error(Self.file(contents: numbers.bytes))?.problem
        #expect(problem?.hasPrefix("the contents end too early") == true, "\(problem as Any)")
    }

    /// Its walk would take forever.
    @Test func depthIsLimited() throws {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1), node: UInt32 = 0
        let name = profile.name("f")
        let frame = profile.number(of: .init(function: name, symbol: name, module: nil, file: profile.noName))
        for _ in 0...ProfileLimits.depth { node = profile.node(of: frame, calledFrom: node) }
        profile.add(
            .init(
                node: node, process: 0, thread: name, cgroup: profile.noName, isWaiting: false, end: name,
                outcome: .complete), .init(samples: 1, total: 1))
        #expect(try Self.error(Self.file(profile))?.problem.contains("a stack of 16385 frames") == true)
    }
}

/// Expects that nothing differs, but for numbers of nodes and frames, and times by less than a microsecond.
func expectSame(_ one: NamedProfile, _ other: NamedProfile, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(one.unit == other.unit && one.event == other.event, sourceLocation: sourceLocation)
    #expect(one.period == other.period && one.frequency == other.frequency, sourceLocation: sourceLocation)
    #expect(one.includesWaits == other.includesWaits && one.seconds == other.seconds, sourceLocation: sourceLocation)
    #expect(one.lostSamples == other.lostSamples, sourceLocation: sourceLocation)
    #expect(one.names.all == other.names.all && one.modules == other.modules, sourceLocation: sourceLocation)
    #expect(one.stacks.map(\.weight) == other.stacks.map(\.weight), sourceLocation: sourceLocation)
    for (ours, theirs) in zip(one.stacks, other.stacks) {
        let (stack, node) = (ours.stack, theirs.stack.node)
        guard one.frames(from: stack.node).elementsEqual(other.frames(from: node)) else {
            Issue.record("the frames of nodes \(stack.node) and \(node) differ", sourceLocation: sourceLocation)
            return
        }
        var same = stack
        (same.node, same.space) = (node, theirs.stack.space)
        #expect(same == theirs.stack, sourceLocation: sourceLocation)
    }
    let spaces = [one, other].map { profile in profile.stacks.map { mappings(of: $0.stack, in: profile) } }
    #expect(spaces[0] == spaces[1], sourceLocation: sourceLocation)
    #expect(one.timeline?.anchor == other.timeline?.anchor, sourceLocation: sourceLocation)
    #expect(microseconds(one) == microseconds(other), sourceLocation: sourceLocation)
}

/// A stack's mappings, with their pieces.
private func mappings(of stack: NamedProfile.Stack, in profile: NamedProfile) -> [String] {
    profile.spaces[Int(stack.space)].map { "\($0.start) \(profile.pieces[Int($0.piece)])" }
}

private func microseconds(_ profile: NamedProfile) -> [Timeline.Sample]? {
    profile.timeline?.map { sample in
        var sample = sample
        sample.time /= 1000
        return sample
    }
}
