import ELF
@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
import Symbols
import TestFixtures
import Testing

/// Inlined functions in all formats.
@Suite struct InlinedFunctionTests {
    private static let bias: UInt64 = 0x7f00_0000_0000

    /// A sample in `innermost`, inlined into `middle`, inlined into `outer`.
    private func sample() throws -> MadeRecording {
        let fixture = try Fixture()
        let path = fixture.directory + "/inlined"
        try run(
            "gcc", "-g", "-O2", "-w", "-nostartfiles", "-Wl,-e,main", "-o", path,
            LiveProgram.sources + "/inlined.c")
        let image = try ELFImage(path: path)
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let all = segment.virtualAddress..<segment.virtualAddress + segment.memorySize
        let found = SourceFrames(of: image, at: Set(all), debugFiles: nil).frames.filter {
            $0.value.map(\.symbol) == ["innermost", "middle", "outer"]
        }
        let address = try #require(found.keys.min())
        var made = MadeRecording(mapping: [])
        let mapping = ProcessImages.Mapping(
            start: Self.bias, end: Self.bias + 0x10000, bias: Self.bias,
            image: MappedImage(name: "/opt/inlined", image: image), name: "/opt/inlined")
        made.processes.note(ProcessImages([mapping]), of: MadeRecording.process)
        made.add(
            MadeRecording.stack(
                [Sample.Frame(Self.bias + address, isExact: true)], addresses: [Self.bias + address]))
        return made
    }

    private func symbolizer(_ made: MadeRecording, inlines: Bool, atOnce: Bool) -> Symbolizer {
        let symbolizer = Symbolizer(made.processes, inlines: inlines)
        if atOnce { symbolizer.nameAll(made.stacks) }
        return symbolizer
    }

    @Test(arguments: [true, false]) func foldedStacksMarkThem(atOnce: Bool) throws {
        let made = try sample()
        func text(inlines: Bool) -> String {
            FoldedStacks(made.stacks, symbolizer(made, inlines: inlines, atOnce: atOnce)).text
        }
        #expect(text(inlines: true) == "thread;outer;middle_[i];innermost_[i] 1\n")
        #expect(text(inlines: false) == "thread;outer 1\n")
    }

    @Test(arguments: [true, false]) func namedProfileHasThemWithLines(atOnce: Bool) throws {
        let made = try sample()
        let profile = NamedProfile(made.recording(), names: symbolizer(made, inlines: true, atOnce: atOnce))
        let frames = Array(profile.frames(from: try #require(profile.stacks.first).stack.node))
        #expect(frames.map { profile.names[$0.function] } == ["innermost", "middle", "outer"])
        #expect(frames.map { $0.marks.contains(.inlined) } == [true, true, false])
        #expect(frames.allSatisfy { profile.names[$0.file].hasSuffix("/inlined.c") && $0.marks.contains(.exact) })
        #expect(frames.map(\.line).allSatisfy { (6...40).contains($0) } && Set(frames.map(\.address)).count == 1)
    }

    private func json(_ made: MadeRecording, inlines: Bool) throws -> String {
        var output = Bytes()
        let names = symbolizer(made, inlines: inlines, atOnce: true)
        try JSONFormat().write(made.recording(), names: names, to: &output)
        return String(decoding: output.bytes, as: UTF8.self)
    }

    @Test func jsonHasThemWithLines() throws {
        let made = try sample()
        let lines = try json(made, inlines: true).split(separator: "\n")
        func count(_ text: String) -> Int { lines.count { $0.contains(text) } }
        #expect(count("\"isInlined\" : true") == 2 && count("\"isInlined\" : false") == 1)
        #expect(count("/inlined.c\"") == 3 && count("\"line\" :") == 3 && count("\"function\" : \"middle\"") == 1)
        let without = try json(made, inlines: false)
        #expect(!without.contains("isInlined") && !without.contains("\"line\""))
    }
}
