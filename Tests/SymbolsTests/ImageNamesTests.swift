import ELF
import Symbols
import TestFixtures
import Testing

/// The names of code: symbols within their extents, else FDEs.
@Suite struct ImageNamesTests {
    /// A library made from assembly, with a symbol `start`.
    private struct Library {
        let names: ImageNames
        let image: ELFImage
        let start: UInt64

        init(_ assembly: String, _ target: Fixture.Target = .x86_64, strip: [String] = [], flags: [String] = []) throws
        {
            let fixture = try Fixture()
            let path = try fixture.library(
                ".text\n.p2align 12\n.globl start\n.type start, @function\nstart:\n.fill 16, 1, 0x90\n.size start, 16\n"
                    + assembly, target, flags: flags)
            if !strip.isEmpty { try run(words: ["objcopy"] + strip + [path]) }
            image = try ELFImage(path: path)
            let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
            start = (segment.virtualAddress + 0xfff) & ~0xfff
            #expect(try image.functionSymbols().match(start)?.name == "start")
            names = ImageNames(image)
        }

        /// The name of the code at an offset from `start`.
        func name(_ offset: UInt64) -> String? {
            switch names.name(at: start + offset, isExact: true) {
            case .function(let name): name
            case .frame(let frame): "+\(Int64(frame) - Int64(start))"
            case nil: nil
            }
        }
    }

    /// 16 bytes of code.
    private static let code = ".fill 16, 1, 0x90\n"
    private static func function(_ name: String, _ attributes: String = "", size: Bool = false) -> String {
        "\(attributes)\n\(name):\n.cfi_startproc\n\(code).cfi_endproc\n" + (size ? ".size \(name), 16\n" : "")
    }

    // MARK: Where functions end

    @Test func functionWithoutSizeEndsWithItsFDE() throws {
        let library = try Library(
            Self.function("sizeless", ".globl sizeless\n.type sizeless, @function") + Self.function("gone1")
                + Self.function("gone2"),
            strip: ["--strip-symbol=gone1", "--strip-symbol=gone2"])
        #expect(library.name(16) == "sizeless" && library.name(31) == "sizeless")
        #expect(library.name(32) == "+32" && library.name(47) == "+32")
        #expect(library.name(48) == "+48")
        #expect(library.names.lookup(library.start + 31)?.offset == 15)
        #expect(library.names.lookup(library.start + 32) == nil)
    }

    @Test func functionWithoutSizeAndFDEEndsWhereOneBegins() throws {
        let library = try Library(
            ".globl sizeless\nsizeless:\n\(Self.code)" + Self.function("gone"), strip: ["--strip-symbol=gone"])
        #expect(library.name(31) == "sizeless" && library.name(32) == "+32")
    }

    @Test func functionWithoutSizeEndsAtTheNextSymbol() throws {
        let library = try Library(
            ".globl one, two\none:\n\(Self.code)two:\n\(Self.code)")
        #expect(library.name(31) == "one" && library.name(32) == "two")
    }

    @Test func functionWithoutSizeEndsWithItsSection() throws {
        let library = try Library(
            ".globl last\n.type last, @function\nlast:\n\(Self.code).section .other, \"ax\"\n\(Self.code)")
        let sections = try library.image.sections()
        let text = try #require(sections.first { $0.name == ".text" })
        let other = try #require(sections.first { $0.name == ".other" })
        try #require(other.address == text.address + text.size)
        #expect(library.name(31) == "last" && library.name(32) == nil)
    }

    @Test func sizeIsBelieved() throws {
        let library = try Library(
            ".globl sized\n.type sized, @function\n" + Self.function("sized", size: true)
                + Self.code + Self.function("other", ".globl other\n.type other, @function", size: true))
        #expect(library.name(31) == "sized" && library.name(32) == nil && library.name(48) == "other")
    }

    // MARK: Which symbols count

    @Test func assemblyWithoutTypeIsNamed() throws {
        let library = try Library(
            Self.function("global", ".globl global") + Self.function("local")
                + Self.function("hidden", ".hidden hidden"))
        #expect([16, 32, 48].map(library.name) == ["global", "local", "hidden"])
    }

    @Test func labelsAreNoFunctions() throws {
        let library = try Library(
            "function:\n.cfi_startproc\n\(Self.code)loop:\n\(Self.code)after:\n\(Self.code).cfi_endproc\n"
                + "sized:\n\(Self.code)inner:\n\(Self.code).size sized, 32\n.type sized, @function")
        #expect([16, 32, 48].map(library.name) == ["function", "function", "function"])
        #expect([64, 80, 95].map(library.name) == ["sized", "sized", "sized"])
        #expect(library.names.lookup(library.start + 50)?.offset == 34)
    }

    @Test func labelInAFunctionWithoutNameIsNotItsName() throws {
        let library = try Library(
            "gone:\n.cfi_startproc\n\(Self.code)loop:\n\(Self.code).cfi_endproc\n", strip: ["--strip-symbol=gone"])
        #expect([16, 32].map(library.name) == ["+16", "+16"])
    }

    /// The function before the label's has another name.
    @Test func labelInAFunctionWithoutNameIsNotOfTheOneBefore() throws {
        let library = try Library(
            ".globl outer\nouter:\n\(Self.code)gone:\n.cfi_startproc\n\(Self.code)loop:\n\(Self.code).cfi_endproc\n",
            strip: ["--strip-symbol=gone"])
        #expect([16, 32, 48].map(library.name) == ["outer", "+32", "+32"])
    }

    /// A partly covered FDE starts at its first part.
    @Test func partsOfAnFDEAreOneFunction() throws {
        func fde(_ name: String, _ start: Int, _ size: Int) -> String {
            """
            .long \(name)_end - \(name)
            \(name):
            .long \(name) - cie
            .long gone + \(start) - .
            .long \(size)
            .uleb128 0
            .p2align 3
            \(name)_end:

            """
        }
        let library = try Library(
            """
            gone:
            .fill 96, 1, 0x90
            .section .eh_frame, "a", @progbits
            cie:
            .long cie_end - . - 4
            .long 0
            .byte 1
            .asciz "zR"
            .byte 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1
            .p2align 3
            cie_end:

            """ + fde("inner1", 16, 16) + fde("inner2", 48, 16) + fde("all", 0, 96), strip: ["--strip-symbol=gone"])
        #expect([16, 32, 48, 64, 80].map(library.name) == ["+16", "+32", "+16", "+64", "+16"])
    }

    /// NASM writes such labels.
    @Test func labelsThatSayWhoseTheyAreAreNoFunctions() throws {
        let library = try Library(
            "f:\n\(Self.code)\"f.loop\":\n\(Self.code)\"f.end\":\n\(Self.code)\"f2.loop\":\n\(Self.code)f.:\n\(Self.code)"
        )
        #expect([16, 32, 48, 64, 80].map(library.name) == ["f", "f", "f", "f2.loop", "f."])
    }

    @Test func mappingSymbolsOfAArch64AreNoFunctions() throws {
        let library = try Library("f:\nnop\n.word 0\nnop\n", .aarch64)
        #expect([16, 20, 24].map(library.name) == ["f", "f", "f"])
    }

    @Test func dataIsNoFunction() throws {
        let library = try Library(
            ".globl f\nf:\n\(Self.code).data\n.globl variable\nvariable: .quad 0\n.text\n")
        let names = try library.image.functionSymbols()
        #expect(names.count == 2)
    }

    // MARK: Aliases

    @Test(arguments: [
        (".globl b\n.type b, @function\na:\nb:\n.type a, @function", "b"),  // exported before local
        (".weak b\n.type b, @function\na:\nb:\n.type a, @function", "b"),
        (".globl b\n.weak a\n.type b, @function\na:\nb:\n.type a, @function", "b"),  // global before weak
        (".globl _a, b\n.type b, @function\n_a:\nb:\n.type _a, @function", "b"),  // without underscores
        (".globl __a, _b\n.type _b, @function\n__a:\n_b:\n.type __a, @function", "_b"),
        (".globl _a\n.weak b\n.type b, @function\n_a:\nb:\n.type _a, @function", "b"),  // as _IO_puts and puts
        (".globl a, b\n.type b, @function\na:\nb:\n", "b"),  // a function before a mark
        (".globl a\n.type b, @function\na:\nb:\n", "b"),
    ])
    func bestKnownNameIsGiven(assembly: String, expected: String) throws {
        let library = try Library(assembly + "\n" + Self.code)
        #expect(library.name(16) == expected)
    }

    @Test func defaultVersionIsGivenWithoutIt() throws {
        let fixture = try Fixture()
        let script = try fixture.write(
            Array("V1 { global: a; start; };\nV2 { global: b; local: old; new; };\n".utf8), to: "versions")
        // GNU ld appends versions to the names in .symtab; those in .dynsym have them in .gnu.version.
        for flags in [["-fuse-ld=bfd"], ["-fuse-ld=bfd", "-Wl,-s"], ["-Wl,-s"]] {
            let library = try Library(
                """
                .globl old, new
                .type old, @function
                .type new, @function
                .symver old, a@V1
                .symver new, b@@V2
                old:
                new:
                \(Self.code)
                """, flags: ["-Wl,--version-script=\(script)"] + flags)
            #expect(library.name(16) == "b", "\(flags)")
        }
    }

    @Test func largestSizeOfAliasesCounts() throws {
        let library = try Library(
            ".globl short\n.type short, @function\nshort:\nlong:\n.type long, @function\n\(Self.code)\(Self.code)"
                + ".size short, 16\n.size long, 32")
        #expect([16, 47].map(library.name) == ["short", "short"])
    }

    // MARK: Restorers

    @Test(arguments: [Fixture.Target.x86_64, .aarch64], ["", "__restore_rt:\n", ".globl mine\nmine:\n"])
    func restorerIsKnownByItsCode(target: Fixture.Target, symbol: String) throws {
        let code = target == .x86_64 ? "mov $15, %rax\nsyscall\n" : "mov x8, #139\nsvc #0\n"
        // As in the C library, the FDE starts with a nop before the restorer.
        let nop = target == .x86_64 ? 1 : 4
        let library = try Library(".cfi_startproc\n.cfi_signal_frame\nnop\n\(symbol)\(code).cfi_endproc\n", target)
        let start = library.start + 16 + UInt64(nop)
        let expected = ImageNames.Name.function(symbol.contains("mine") ? "mine" : "__restore_rt")
        // A handler returns to it. A sample's pc may be either instruction, or after the second during the system call.
        #expect(library.names.name(at: start, isExact: false) == expected)
        let sizes = target == .x86_64 ? [0, 7, 9] : [0, 4, 8]
        for size in sizes { #expect(library.names.name(at: start + UInt64(size), isExact: true) == expected) }
        // For a return address, the call belongs to the preceding function.
        #expect(library.names.name(at: library.start + 16, isExact: false) == .function("start"))
    }

    /// The name of a surrounding function isn't its name, and no call returns to its second instruction.
    @Test func restorerIsWhereItsFirstInstructionIs() throws {
        let library = try Library(
            ".globl around\n.type around, @function\naround:\n.cfi_startproc\nnop\nmov $15, %rax\nsyscall\n"
                + ".cfi_endproc\n.size around, . - around\n")
        let start = library.start + 17
        #expect(library.names.name(at: start, isExact: false) == .function("__restore_rt"))
        #expect(library.names.name(at: start + 7, isExact: true) == .function("__restore_rt"))
        #expect(library.names.name(at: start + 7, isExact: false) == .function("around"))
    }

    // MARK: Limits

    @Test func longNamesAreCutAndTellableApart() throws {
        let long = String(repeating: "a", count: 5000)
        let library = try Library(
            Self.function("f\(long)1", ".globl f\(long)1") + Self.function("f\(long)2", ".globl f\(long)2"))
        let names = [16, 32].map { library.name($0) ?? "" }
        for name in names {
            #expect(name.utf8.count == FunctionSymbols.nameLimit)
            #expect(name.wholeMatch(of: /fa+\.\.\.#[0-9a-f]{8}/) != nil)
        }
        #expect(names[0] != names[1])
    }

    @Test func nameOfTheLimitIsWhole() throws {
        let name = String(repeating: "b", count: FunctionSymbols.nameLimit)
        #expect(try Library(Self.function(name, ".globl \(name)")).name(16) == name)
    }
}
