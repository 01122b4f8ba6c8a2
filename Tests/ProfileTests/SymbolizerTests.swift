import ELF
@testable import KernelUnwinder
@testable import Profile
import TestFixtures
import Testing

/// Names for addresses.
@Suite struct SymbolizerTests {
    private static let bias: UInt64 = 0x7f00_0000_0000

    /// Two functions of 16 bytes each at 0x1000 and 0x1010, in a library that is mapped.
    private func library(_ body: (Symbolizer, ProgramID, UInt64) throws -> Void) throws {
        let fixture = try Fixture()
        let path = try fixture.library(
            """
            .text
            .p2align 12
            .globl first, second
            .type first, @function
            .type second, @function
            first:
            .fill 16, 1, 0x90
            .size first, .-first
            second:
            .fill 16, 1, 0x90
            .size second, .-second
            .fill 64, 1, 0x90
            """)
        let image = try ELFImage(path: path)
        let functions = try image.functionSymbols()
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let start = (segment.virtualAddress + 0xfff) & ~0xfff
        #expect(functions.lookup(start)?.name == "first")
        var programs = Programs()
        programs.note(try FakeImages.image(image, bias: Self.bias, name: "/opt/lib.so"), of: 1)
        try body(Symbolizer(programs), ProgramID(process: 1, number: 0), Self.bias + start)
    }

    @Test func functionIsFoundThroughTheBias() throws {
        try library { symbolizer, program, start in
            #expect(symbolizer.name(of: Sample.Frame(start, isExact: true), in: program) == "first")
            #expect(symbolizer.name(of: Sample.Frame(start + 15, isExact: true), in: program) == "first")
            #expect(symbolizer.name(of: Sample.Frame(start + 16, isExact: true), in: program) == "second")
            #expect(symbolizer.problems == [])
        }
    }

    @Test func returnAddressBehindAFunctionIsOfIt() throws {
        try library { symbolizer, program, start in
            #expect(symbolizer.name(of: Sample.Frame(start + 16), in: program) == "first")
        }
    }

    @Test func codeWithoutASymbolHasItsFilesName() throws {
        try library { symbolizer, program, start in
            #expect(symbolizer.name(of: Sample.Frame(start + 40, isExact: true), in: program) == "[lib.so]")
            #expect(symbolizer.name(of: Sample.Frame(12), in: program) == "[unknown]")
            let other = ProgramID(process: 2, number: 0)
            #expect(symbolizer.name(of: Sample.Frame(start), in: other) == "[unknown]")
        }
    }

    @Test func kernelAddressBelowAllFunctionsIsTheKernel() {
        #expect(KernelSymbols().function(at: 0) == nil && Symbolizer(Programs()).kernelName(of: 0) == "[kernel]")
    }
}
