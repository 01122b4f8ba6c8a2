import Files
import Foundation
import KernelUnwinder
import Profile
@testable import ProfileFormats
import TestFixtures
import Testing

/// A reader that was written after docs/profile-format.md alone: Tests/ReaderInAnotherLanguage/read_profile.py.
@Suite struct SecondReaderTests {
    private static let reader =
        #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
        + "/ReaderInAnotherLanguage/read_profile.py"

    /// As the reader prints it.
    private func text(_ profile: NamedProfile) -> String {
        var lines = profile.stacks.map { stack, weight in
            let frames = Array(profile.frames(from: stack.node)).reversed().map {
                "\(profile.names[$0.function])+\(String($0.address, radix: 16))"
            }
            let mappings = profile.spaces[Int(stack.space)].map { mapping in
                let piece = profile.pieces[Int(mapping.piece)]
                let module = profile.names[profile.modules[Int(piece.module)].path]
                let numbers = [mapping.start, mapping.start + piece.size, piece.start, piece.offset].map {
                    String($0, radix: 16)
                }
                return "\(numbers[0])-\(numbers[1])=\(module)+\(numbers[2])@\(numbers[3])"
            }
            return "\(stack.process) \(profile.names[stack.thread]) \(frames.joined(separator: ";")) "
                + "\(mappings.joined(separator: ",")) \(weight.samples)"
        }
        var sums: [UInt64] = [0, 0, 0, 0, 0]
        for sample in profile.timeline.map(Array.init) ?? [] {
            sums[0] += 1
            sums[1] &+= sample.time / 1000
            sums[2] &+= UInt64(bitPattern: Int64(sample.thread))
            sums[3] += sample.cpu.map { UInt64($0) + 1 } ?? 0
            sums[4] &+= sample.waited ?? 0
        }
        lines.append(sums.map(String.init).joined(separator: " "))
        return lines.joined(separator: "\n") + "\n"
    }

    @Test(arguments: NamedProfile.Unit.allCases) func secondReaderReadsTheSame(unit: NamedProfile.Unit) throws {
        var profile = MadeUpProfile.profile(seed: 21, stacks: 30_000)
        (profile.unit, profile.period) = (unit, unit == .events ? 7 : nil)
        var output = Bytes()
        try CFICFormat().write(profile, to: &output)
        let fixture = try Fixture(), path = "\(fixture.directory)/a.cfic"
        try Data(output.bytes).write(to: URL(filePath: path))
        let lines = try run("/usr/bin/python3", Self.reader, path)
            .split(separator: "\n", omittingEmptySubsequences: false)
        let expected = text(profile).split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count == expected.count)
        for (line, (expectation, index)) in zip(lines, zip(expected, expected.indices)) {
            guard index < profile.stacks.count else {
                #expect(line == expectation)
                continue
            }
            // The weight is last.
            let space = try #require(line.lastIndex(of: " "))
            let weight = try #require(Double(line[line.index(after: space)...]))
            guard line[..<space] == expectation, weight == profile.stacks[index].weight.total else {
                Issue.record("\(line) is not \(expectation) \(profile.stacks[index].weight.total)")
                return
            }
        }
    }
}
