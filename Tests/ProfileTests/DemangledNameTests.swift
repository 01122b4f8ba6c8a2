import ELF
@testable import KernelUnwinder
@testable import Profile
import Symbols
import TestFixtures
import Testing

/// Demangled names of frames.
@Suite struct DemangledNameTests {
    private static let bias: UInt64 = 0x7f00_0000_0000
    private let symbols = ["_ZN3app3BoxIiEC1Ei", "_ZN3app3BoxIiEC2Ei", "plain", "_Zebra"]
    private let names = ["app::Box<int>::Box(int)", "app::Box<int>::Box(int)", "plain", "_Zebra"]
    private let long = "_Z3000" + String(repeating: "x", count: 3000) + "v"

    /// A mapped library with a function of 16 bytes for each symbol, and what names its code.
    private func symbolizer(demangles: Bool) throws -> (Symbolizer, [Sample.Frame]) {
        let fixture = try Fixture()
        let path = try fixture.library(
            ".text\n.p2align 12\n"
                + (symbols + [long]).map {
                    ".globl \($0)\n.type \($0), @function\n\($0):\n.fill 16, 1, 0x90\n.size \($0), 16\n"
                }.joined())
        let image = try ELFImage(path: path)
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let start = (segment.virtualAddress + 0xfff) & ~0xfff
        var processes = ProcessHistories()
        processes.note(try FakeImages.image(image, bias: Self.bias, name: "/opt/lib.so"), of: 1)
        let kernel = KernelSymbols(
            text: Array("1000 T _RNvCsli3NGoEiSOP_3app3all\n2000 T schedule\n3000 D data\n".utf8))
        let frames = (0...symbols.count).map { Sample.Frame(Self.bias + start + UInt64($0) * 16, isExact: true) }
        return (Symbolizer(processes, kernel: kernel, demangles: demangles), frames)
    }

    private let space = AddressSpace(process: 1)

    private func stacks(_ frames: [Sample.Frame]) -> Stacks {
        var stacks = Stacks()
        for frame in frames {
            stacks.add(
                Stacks.Stack(space: space, command: "", kernelFrames: [], userFrames: [frame], end: StackEnd(code: 1)))
        }
        return stacks
    }

    @Test(arguments: [true, false]) func framesHaveDemangledNames(atOnce: Bool) throws {
        let (symbolizer, frames) = try symbolizer(demangles: true)
        if atOnce { symbolizer.nameAll(stacks(frames)) }
        #expect(frames.dropLast().map { symbolizer.name(of: $0, in: space) } == names)
        #expect(
            frames.dropLast().map { symbolizer.mangledName(of: $0, in: space) } == [symbols[0], symbols[1], nil, nil])
        let last = try #require(frames.last)
        #expect(symbolizer.name(of: last, in: space).wholeMatch(of: /x{1012}\.\.\.#[0-9a-f]{8}/) != nil)
        #expect(symbolizer.mangledName(of: last, in: space) == long)
        #expect(symbolizer.problems == [])
    }

    @Test func functionsWithTheSameNameAreOneName() throws {
        let (symbolizer, frames) = try symbolizer(demangles: true)
        #expect(symbolizer.id(of: frames[0], in: space) == symbolizer.id(of: frames[1], in: space))
    }

    @Test func kernelFunctionsHaveDemangledNames() throws {
        let (symbolizer, _) = try symbolizer(demangles: true)
        #expect([0x1000, 0x2000, 0x3000].map(symbolizer.kernelFunction) == ["app::all", "schedule", "[kernel]"])
        let (other, _) = try self.symbolizer(demangles: false)
        #expect(other.kernelFunction(at: 0x1000) == "_RNvCsli3NGoEiSOP_3app3all")
    }

    @Test(arguments: [true, false]) func symbolsStayOnRequest(atOnce: Bool) throws {
        let (symbolizer, frames) = try symbolizer(demangles: false)
        if atOnce { symbolizer.nameAll(stacks(frames)) }
        #expect(frames.dropLast().map { symbolizer.name(of: $0, in: space) } == symbols)
        #expect(frames.allSatisfy { symbolizer.mangledName(of: $0, in: space) == nil })
        let last = try #require(frames.last)
        #expect(symbolizer.name(of: last, in: space).wholeMatch(of: /_Z3000x{1006}\.\.\.#[0-9a-f]{8}/) != nil)
    }
}
