import CZlib
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

    /// A file of one chunk with these contents, not compressed.
    private static func file(contents: [UInt8]) -> [UInt8] {
        let size = UInt16(contents.count)
        let stored =
            [1, UInt8(size & 0xff), UInt8(size >> 8), UInt8(~size & 0xff), UInt8(~size >> 8)] as [UInt8] + contents
        return summed([(stored, contents.count), ([], 0)])
    }

    /// A file of these chunks, with checksums.
    private static func summed(_ chunks: [(stored: [UInt8], size: Int)]) -> [UInt8] {
        var file = CFICFile.header, summed = CFICFile.header
        for (stored, size) in chunks {
            let chunk = CFICFile.bytes(UInt32(stored.count)) + CFICFile.bytes(UInt32(size)) + stored
            summed += chunk
            file += chunk + CFICFile.bytes(summed.withUnsafeBytes { CFICFile.checksum($0, after: 0) })
        }
        return file
    }

    private static func contents(_ profile: NamedProfile) throws -> [UInt8] {
        var reader = try ChunkReader(try file(profile)), contents: [UInt8] = []
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
                outcome: .complete), .init(samples: 300_000, total: 300_000))
        var timeline = Timeline()
        for time in 0..<300_000 as Range<UInt64> {
            timeline.append(.init(time: time, thread: 1, cpu: 0, stack: stack))
        }
        profile.timeline = timeline
        let file = try Self.file(profile)
        expectSame(try ProfileReader.read(file, path: ""), profile)
        #expect(file.count > 1_500_000 / CFICFile.expansionLimit)
    }

    @Test func timesAreInOrderAndExact() throws {
        var profile = ProfileSample.profile, timeline = Timeline(anchor: .init(monotonic: .max, wall: 1))
        var random = MadeUpProfile.Generator(seed: 9)
        for _ in 0..<100_000 {
            let stack = Int.random(in: 0..<profile.stacks.count, using: &random)
            timeline.append(
                .init(
                    time: .random(in: 0 ... .max, using: &random), thread: .random(in: .min ... .max, using: &random),
                    cpu: Bool.random(using: &random) ? nil : .random(in: 0..<300, using: &random), stack: stack,
                    waited: profile.stacks[stack].stack.isWaiting ? .random(in: 0 ... .max, using: &random) : nil))
        }
        profile.timeline = timeline
        let read = try ProfileReader.read(Self.file(profile), path: "")
        #expect(read.timeline.map(Array.init) == timeline.sorted && read.timeline?.anchor == timeline.anchor)
    }

    // MARK: Broken files

    @Test func anyBytePossiblyMissingIsNoticed() throws {
        let file = try Self.file(ProfileSample.profile)
        for count in 0..<file.count {
            let error = Self.error(Array(file[..<count]))
            #expect(error != nil && (error?.offset ?? 0) <= count, "\(count) of \(file.count): \(error as Any)")
        }
        #expect(Self.error(file + [0])?.problem == "there are bytes behind the end")
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

    @Test func chunksMustNotBeExchanged() throws {
        let file = try Self.file(MadeUpProfile.profile(seed: 2, stacks: 40_000))
        var chunks: [ArraySlice<UInt8>] = [], rest = file.dropFirst(CFICFile.headerSize)
        while rest.count > CFICFile.chunkHeaderSize + CFICFile.checksumSize {
            let size = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } + 12
            chunks.append(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        try #require(chunks.count > 2)
        chunks.swapAt(0, 1)
        #expect(Self.error(CFICFile.header + chunks.joined() + rest)?.problem == "the checksum is wrong")
    }

    @Test func laterVersionIsNamed() throws {
        var file = try Self.file(ProfileSample.profile)
        file[8] = 2
        #expect(Self.error(file)?.description == "a.cfic: byte 8: version 2 of the format; this cfic reads version 1")
    }

    /// Contents that no cfic writes, with correct checksums.
    @Test func contentsAreChecked() throws {
        let contents = try Self.contents(ProfileSample.profile)
        try #require(Self.error(Self.file(contents: contents)) == nil)
        var refused = 0
        for index in contents.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff, contents[index] &+ 1] as [UInt8] {
                var changed = contents
                changed[index] = value
                if Self.error(Self.file(contents: changed)) != nil { refused += 1 }
            }
            if Self.error(Self.file(contents: Array(contents[..<index]))) == nil { Issue.record("\(index)") }
        }
        #expect(refused > contents.count)
    }

    @Test func expansionIsLimited() throws {
        let zeros = [UInt8](repeating: 0, count: CFICFile.chunkLimit)
        var size = compressBound(UInt(zeros.count))
        var packed = [UInt8](repeating: 0, count: Int(size))
        #expect(compress(&packed, &size, zeros, UInt(zeros.count)) == Z_OK)
        // Without zlib's header and trailer.
        let stored = packed[2..<(Int(size) - 4)]
        #expect(Self.error(Self.summed([(Array(stored), zeros.count)]))?.problem.contains("out of bounds") == true)
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

/// Expects that nothing differs, but for the order of samples.
func expectSame(_ one: NamedProfile, _ other: NamedProfile, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(one.unit == other.unit && one.event == other.event, sourceLocation: sourceLocation)
    #expect(one.period == other.period && one.frequency == other.frequency, sourceLocation: sourceLocation)
    #expect(one.includesWaits == other.includesWaits && one.seconds == other.seconds, sourceLocation: sourceLocation)
    #expect(one.lostSamples == other.lostSamples, sourceLocation: sourceLocation)
    #expect(one.names.all == other.names.all, sourceLocation: sourceLocation)
    #expect(one.modules == other.modules && one.frames == other.frames, sourceLocation: sourceLocation)
    #expect(one.nodes == other.nodes, sourceLocation: sourceLocation)
    #expect(one.stacks.map(\.stack) == other.stacks.map(\.stack), sourceLocation: sourceLocation)
    #expect(one.stacks.map(\.weight) == other.stacks.map(\.weight), sourceLocation: sourceLocation)
    #expect(one.timeline?.anchor == other.timeline?.anchor, sourceLocation: sourceLocation)
    #expect(one.timeline?.sorted == other.timeline?.sorted, sourceLocation: sourceLocation)
}
