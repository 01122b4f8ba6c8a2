import ELF
@testable import KernelUnwinder
@testable import Profile
import Symbols
import TestFixtures
import Testing

/// Names for addresses.
@Suite struct SymbolizerTests {
    private static let bias: UInt64 = 0x7f00_0000_0000

    /// A mapped library with two functions of 16 bytes, at 0x1000 and 0x1010.
    private func library(_ body: (Symbolizer, AddressSpace, UInt64) throws -> Void) throws {
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
            .cfi_startproc
            .fill 32, 1, 0x90
            .cfi_endproc
            .fill 32, 1, 0x90
            """)
        let image = try ELFImage(path: path)
        let functions = try image.functionSymbols()
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let start = (segment.virtualAddress + 0xfff) & ~0xfff
        #expect(functions.lookup(start)?.name == "first")
        var processes = ProcessHistories()
        processes.note(try FakeImages.image(image, bias: Self.bias, name: "/opt/lib.so"), of: 1)
        try body(Symbolizer(processes), AddressSpace(process: 1), Self.bias + start)
    }

    @Test func locationHasThePieceOfTheFile() throws {
        try library { symbolizer, space, start in
            let location = try #require(symbolizer.location(of: Sample.Frame(start, isExact: true), in: space))
            let address = start - Self.bias, piece = try #require(location.piece)
            #expect(location.module == "/opt/lib.so" && location.address == address)
            #expect(piece.start <= address && address - piece.start < piece.size && piece.size % 0x1000 == 0)
        }
    }

    @Test func functionIsFoundThroughTheBias() throws {
        try library { symbolizer, space, start in
            #expect(symbolizer.name(of: Sample.Frame(start, isExact: true), in: space) == "first")
            #expect(symbolizer.name(of: Sample.Frame(start + 15, isExact: true), in: space) == "first")
            #expect(symbolizer.name(of: Sample.Frame(start + 16, isExact: true), in: space) == "second")
            #expect(symbolizer.problems == [])
        }
    }

    @Test func returnAddressBehindAFunctionIsOfIt() throws {
        try library { symbolizer, space, start in
            #expect(symbolizer.name(of: Sample.Frame(start + 16), in: space) == "first")
        }
    }

    @Test func codeWithoutASymbolHasItsFilesName() throws {
        try library { symbolizer, space, start in
            let svma = String(start + 32 - Self.bias, radix: 16)
            #expect(symbolizer.name(of: Sample.Frame(start + 32, isExact: true), in: space) == "[lib.so]+0x\(svma)")
            #expect(symbolizer.name(of: Sample.Frame(start + 64), in: space) == "[lib.so]+0x\(svma)")
            #expect(symbolizer.name(of: Sample.Frame(start + 64, isExact: true), in: space) == "[lib.so]")
            #expect(symbolizer.name(of: Sample.Frame(12), in: space) == "[unknown]")
            let other = AddressSpace(process: 2)
            #expect(symbolizer.name(of: Sample.Frame(start), in: other) == "[unknown]")
        }
    }

    /// No image's symbols are kept, and the names are the same.
    @Test func namesOfAllStacksAreFoundImageByImage() throws {
        try library { symbolizer, space, start in
            let svma = String(start + 32 - Self.bias, radix: 16)
            let frames: [(UInt64, Bool, String)] = [
                (start, true, "first"), (start + 16, true, "second"), (start + 16, false, "first"),
                (start + 32, true, "[lib.so]+0x\(svma)"), (start + 64, true, "[lib.so]"), (12, false, "[unknown]"),
            ]
            var stacks = Stacks()
            for (pc, isExact, _) in frames {
                let frame = Sample.Frame(pc, isExact: isExact)
                stacks.add(
                    Stacks.Stack(
                        space: space, command: "", kernelFrames: [], userFrames: [frame], end: StackEnd(code: 1)))
            }
            symbolizer.nameAll(stacks)
            for (pc, isExact, name) in frames {
                #expect(symbolizer.name(of: Sample.Frame(pc, isExact: isExact), in: space) == name)
            }
            #expect(symbolizer.readImageCount == 0 && symbolizer.problems == [])
        }
    }

    @Test func placesOfOneFunctionAreOneName() throws {
        try library { symbolizer, space, start in
            let ids = Set([0, 1, 15].map { symbolizer.id(of: Sample.Frame(start + $0, isExact: true), in: space) })
            #expect(ids.count == 1 && symbolizer.names.count == 1)
        }
    }

    @Test func kernelFunctionsAreMarkedAndTheKernelIsNot() {
        let kernel = KernelSymbols(text: Array("1000 T schedule\n2000 D data\n".utf8))
        let symbolizer = Symbolizer(ProcessHistories(), kernel: kernel)
        #expect(symbolizer.kernelName(of: 0x1010) == "schedule_[k]" && symbolizer.kernelName(of: 0x2000) == "[kernel]")
        #expect(symbolizer.kernelFunction(at: 0x1010) == "schedule")
        #expect(Symbolizer(ProcessHistories()).kernelName(of: 0) == "[kernel]")
    }
}
