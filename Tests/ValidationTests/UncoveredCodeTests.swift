import ELF
import Foundation
import Inference
import TestFixtures
import Testing

/// Functions whose call frame information is hidden get the rules that it states.
@Suite struct UncoveredCodeTests {
    private static let source =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        + "/../../testdata/programs/stack-shapes.c"

    @Test(
        arguments: ["gcc", "clang"],
        [["-O1"], ["-O2"], ["-Os"], ["-O2", "-fno-omit-frame-pointer"], ["-O2", "-fno-pie", "-no-pie"]])
    func inferredRulesAgreeWithHiddenCallFrameInformation(compiler: String, flags: [String]) throws {
        let fixture = try Fixture()
        try run(words: [compiler, "-w"] + flags + ["-o", "program", Self.source], in: fixture.directory)
        let image = try ELFImage(path: "\(fixture.directory)/program")
        for third in 0..<3 {
            let frames = try HiddenFrames(image) { $0 % 3 == third }
            #expect(frames.disagreements.isEmpty, "\(frames.disagreements)")
            #expect(frames.contradictions.isEmpty, "\(frames.contradictions)")
            #expect(Double(frames.agreeingBytes) > 0.4 * Double(frames.hiddenBytes), "\(frames.inferred.givenUp)")
        }
    }

    /// A hidden function that a stripped library's covered code calls, and one that only data points to.
    @Test func everyByteIsAccountedFor() throws {
        let fixture = try Fixture()
        try run(words: ["gcc", "-w", "-O2", "-o", "program", Self.source], in: fixture.directory)
        let image = try ELFImage(path: "\(fixture.directory)/program")
        let code = try UncoveredProgram(image).inferred(covered: [])
        #expect(code.ruleBytes + code.paddingBytes + code.givenUp.values.reduce(0, +) == code.gapBytes)
        #expect(code.ruleBytes > 0)
    }
}
