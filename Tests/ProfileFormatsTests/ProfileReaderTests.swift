import Files
import Foundation
import KernelUnwinder
@testable import ProfileFormats
import Symbols
import TestFixtures
import Testing

/// Files of pprof and folded stacks.
@Suite struct ProfileReaderTests {
    private static func text(_ profile: NamedProfile) -> String { FoldedStacks(profile).text }

    private static func pprof(_ profile: NamedProfile) throws -> [UInt8] {
        var output = Bytes()
        try PprofFormat().write(profile, to: &output)
        return output.bytes
    }

    private static func problem(_ bytes: [UInt8]) -> String? {
        do throws(ProfileFileError) {
            _ = try ProfileReader.read(bytes, path: "a")
            return nil
        } catch { return error.description }
    }

    private static func problem(_ text: String) -> String? { problem(Array(text.utf8)) }

    // MARK: pprof

    @Test func pprofsFileIsReadAsItWasWritten() throws {
        let profile = ProfileSample.profile, read = try ProfileReader.read(Self.pprof(profile), path: "")
        #expect(Self.text(read) == Self.text(profile))
        #expect(read.unit == .samples && read.frequency == 100 && read.seconds == 1.5)
        #expect(read.stacks.map(\.weight) == profile.stacks.map(\.weight))
        func stacks(_ profile: NamedProfile) -> [String] {
            profile.stacks.map { stack, _ in
                let names = profile.names
                let frames = profile.frames(from: stack.node).map { frame in
                    let module = frame.module.map { profile.modules[Int($0)] }
                    let place = module.map { "\(names[$0.path]) \(names[$0.buildID])" } ?? ""
                    let marks = frame.marks.subtracting(.exact).rawValue
                    return
                        "\(names[frame.function]) \(names[frame.symbol]) \(place) \(names[frame.file]) \(frame.line) \(marks)"
                }
                return "\(stack.process) \(names[stack.cgroup]) \(names[stack.end]) \(stack.outcome) \(frames)"
            }
        }
        // How complete stacks ended isn't in the file.
        #expect(stacks(read).dropFirst() == stacks(profile).dropFirst())
        #expect(stacks(read)[0] == stacks(profile)[0].replacing("end-of-stack", with: ""))
        // The innermost is where it stopped, and what is inlined is at the same place.
        let addresses = read.frames(from: read.stacks[0].stack.node).map { ($0.address, $0.marks.contains(.exact)) }
        #expect(
            addresses.map(\.0) == [0x1004, 0x1011, 0x1011, 0x2010] && addresses.map(\.1) == [true, false, false, false])
    }

    @Test func madeUpProfilesOfPprofKeepTheirStacks() throws {
        let profile = MadeUpProfile.profile(seed: 11)
        let read = try ProfileReader.read(Self.pprof(profile), path: "")
        #expect(read.unit == .nanoseconds && read.includesWaits && read.event == "wall")
        func sums(_ profile: NamedProfile) -> [Int] {
            profile.stacks.filter { $0.weight.total > 0 }.map { FlameTree.whole($0.weight.total) }.sorted()
        }
        #expect(sums(read).reduce(0, +) == sums(profile).reduce(0, +))
    }

    /// What other programs write: not packed, not compressed, the strings first, and values of another kind.
    @Test func pprofsFileOfAnotherProgramIsRead() throws {
        var message = PprofProfile()
        message.stringTable = ["", "alloc_space", "bytes", "main", "/bin/a", "leaf", "_Zleaf", "a.c", "comm", "worker"]
        message.sampleType = [.with { ($0.type, $0.unit) = (1, 2) }]
        message.mapping = [
            .with {
                ($0.id, $0.memoryStart, $0.memoryLimit, $0.fileOffset, $0.filename) = (9, 0x400000, 0x500000, 0x1000, 4)
            }
        ]
        message.function = [
            .with { ($0.id, $0.name, $0.systemName, $0.filename) = (70, 5, 6, 7) },
            .with { ($0.id, $0.name) = (71, 3) },
        ]
        message.location = [
            .with {
                ($0.id, $0.mappingID, $0.address) = (500, 9, 0x400010)
                $0.line = [.with { ($0.functionID, $0.line) = (70, 4) }]
            },
            .with {
                ($0.id, $0.mappingID, $0.address) = (501, 9, 0x40001f)
                $0.line = [.with { $0.functionID = 71 }]
            },
            .with { ($0.id, $0.mappingID, $0.address) = (502, 9, 0x400030) },
        ]
        message.sample = [
            .with {
                ($0.locationID, $0.value) = ([500, 501], [4096])
                $0.label = [.with { ($0.key, $0.str) = (8, 9) }]
            }, .with { ($0.locationID, $0.value) = ([502, 501], [10]) },
            .with { ($0.locationID, $0.value) = ([502], [0]) },
        ]
        let bytes: [UInt8] = try message.serializedBytes()
        let profile = try ProfileReader.read(bytes, path: "")
        #expect(profile.unit == .events && profile.event == "alloc_space/bytes")
        #expect(Self.text(profile) == "worker;main;leaf 4096\n[unknown];main;[a] 10\n")
        let leaf = try #require(profile.frames.first { profile.names[$0.function] == "leaf" })
        #expect(leaf.address == 0x1010 && profile.names[leaf.symbol] == "_Zleaf" && leaf.line == 4)
        #expect(profile.frames.contains { profile.names[$0.function] == "main" && $0.address == 0x1020 })
    }

    @Test func pprofsFilesThatAreWrongAreRefused() throws {
        func problem(_ change: (inout PprofProfile) -> Void) throws -> String? {
            var message = try PprofProfile(serializedBytes: PprofTests.decompressed(Self.pprof(ProfileSample.profile)))
            change(&message)
            let bytes: [UInt8] = try message.serializedBytes()
            return Self.problem(bytes)
        }
        #expect(try problem { _ in } == nil)
        #expect(try problem { $0.sample[0].value[0] = -1 }?.contains("negative") == true)
        #expect(try problem { $0.sample[1].locationID = [99] }?.contains("location 99, which isn't there") == true)
        #expect(try problem { $0.sample[1].value = [1] }?.contains("1 values, and there are 2 types") == true)
        #expect(try problem { $0.sampleType = [] }?.contains("not a profile of pprof") == true)
        #expect(try problem { $0.sample[0].value[0] = .max }?.contains("too many samples") == true)
        #expect(
            try problem { $0.sample[0].locationID = Array(repeating: 1, count: 20_000) }?.contains("frames") == true)
        let whole = try Self.pprof(ProfileSample.profile)
        #expect(Self.problem(Array(whole.dropLast(9)))?.contains("the file is cut off") == true)
        #expect(Self.problem(Array(whole.prefix(40)))?.hasPrefix("a: byte 40: ") == true)
    }

    /// 400 samples of a few bytes each have 4,000 frames below one of their own.
    @Test func smallFilesOfPprofDontTakeMuchMemory() throws {
        func message(_ samples: Int) throws -> [UInt8] {
            var message = PprofProfile()
            message.stringTable = ["", "samples", "count", "f"]
            message.sampleType = [.with { ($0.type, $0.unit) = (1, 2) }]
            message.function = [.with { ($0.id, $0.name) = (1, 3) }]
            message.location = (0...samples).map { number in
                .with {
                    ($0.id, $0.address) = (UInt64(number + 1), UInt64(number))
                    $0.line = Array(repeating: .with { $0.functionID = 1 }, count: number == 0 ? 4000 : 1)
                }
            }
            message.sample = (0..<samples).map { number in
                .with { ($0.locationID, $0.value) = ([1, UInt64(number + 2)], [1]) }
            }
            return try message.serializedBytes()
        }
        #expect(Self.problem(try message(100)) == nil)
        #expect(Self.problem(try message(400))?.contains("different frames and callers") == true)
    }

    /// Nothing may trap or hang.
    @Test func anyByteOfPprofsFileMayBeWrong() throws {
        let bytes = try PprofTests.decompressed(Self.pprof(ProfileSample.profile))
        for index in bytes.indices {
            _ = Self.problem(Array(bytes[..<index]))
            for value in [0, 1, 0x7f, 0x80, 0xff, bytes[index] ^ 1] as [UInt8] {
                var changed = bytes
                changed[index] = value
                _ = Self.problem(changed)
            }
        }
    }

    // MARK: Folded

    @Test func foldedStacksAreReadAsTheyWereWritten() throws {
        for profile in [ProfileSample.profile, MadeUpProfile.profile(seed: 4)] {
            let text = Self.text(profile)
            let read = try ProfileReader.read(Array(text.utf8), path: "")
            #expect(
                Self.text(read) == text
                    && read.total.total == Double(FoldedLines.sums(text.split(separator: "\n").map(String.init)).total))
        }
    }

    @Test func foldedMarksAreUnderstood() throws {
        let text = "t;[truncated];a_[fp];b_[fp?];c_[i];d_[k];[kernel];_[k] 3\r\n\nu 4"
        let profile = try ProfileReader.read(Array(text.utf8), path: "")
        let frames = profile.frames(from: profile.stacks[0].stack.node).map { profile.names[$0.function] }
        #expect(frames == ["_[k]", "[kernel]", "d", "c", "b", "a"])
        let marks = profile.frames(from: profile.stacks[0].stack.node).map(\.marks)
        #expect(marks == [[], .kernel, .kernel, .inlined, [.guessed, .unchecked], .guessed])
        #expect(profile.stacks.map(\.stack.outcome) == [.truncated, .complete])
        #expect(profile.total == .init(samples: 7, total: 7) && profile.stacks[1].stack.node == 0)
    }

    @Test func foldedStacksThatAreWrongAreRefused() {
        let what = "a line without a number at its end: these are no folded stacks"
        #expect(Self.problem("a;b 1\nc;d\n") == "a: byte 6: \(what)")
        #expect(Self.problem("a;b 1\nc;d -2\n") == "a: byte 6: \(what)")
        #expect(Self.problem("a;b 1x\n") == "a: byte 0: \(what)")
        #expect(Self.problem("a;b 99999999999999999999\n") == "a: byte 0: \(what)")
        #expect(Self.problem(String(repeating: "a;", count: 20_000) + "b 1")?.contains("frames") == true)
        #expect(Self.problem("") == "a: the file is empty" && Self.problem("\n \n") == "a: the file is empty")
    }

    @Test func otherFilesAreNamed() {
        #expect(Self.problem("<!DOCTYPE html>")?.contains("a page or a picture") == true)
        #expect(Self.problem("{\"schema\": 1}")?.contains("JSON") == true)
        #expect(Self.problem([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])?.hasPrefix("a: ") == true)
        #expect(Self.problem([0x1f, 0x8b, 8, 0])?.contains("cut off") == true)
        #expect(throws: ProfileFileError.self) { try ProfileReader.read("/nonexistent") }
    }

    /// A megabyte of zeros is a kilobyte compressed.
    @Test func expansionIsLimited() throws {
        let fixture = try Fixture()
        let bomb = "\(fixture.directory)/bomb.gz"
        try run("/bin/bash", "-c", "head -c 200000000 /dev/zero | gzip -9 > \(bomb)")
        #expect(throws: ProfileFileError.self) { try ProfileReader.read(bomb) }
        do { _ = try ProfileReader.read(bomb) } catch {
            #expect("\(error)".contains("expands to more than"), "\(error)")
        }
    }
}
