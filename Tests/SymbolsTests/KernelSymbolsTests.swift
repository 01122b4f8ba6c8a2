import Symbols
import Testing

/// Symbols from lines like those of /proc/kallsyms.
@Suite struct KernelSymbolsTests {
    private func symbols(_ lines: String...) -> KernelSymbols {
        KernelSymbols(text: Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    @Test func functionReachesToTheNextSymbol() {
        let symbols = symbols(
            "ffffffff81000010 T second", "ffffffff81000000 t first", "ffffffff81000030 D data",
            "ffffffff81000040 W third",
            "ffffffff81000050 B end")
        #expect(symbols.function(at: 0xffff_ffff_80ff_ffff) == nil)
        #expect(symbols.function(at: 0xffff_ffff_8100_0000) == "first")
        #expect(symbols.function(at: 0xffff_ffff_8100_000f) == "first")
        #expect(symbols.function(at: 0xffff_ffff_8100_0010) == "second")
        #expect(symbols.function(at: 0xffff_ffff_8100_002f) == "second")
        #expect(symbols.function(at: 0xffff_ffff_8100_0030) == nil)
        #expect(symbols.function(at: 0xffff_ffff_8100_0040) == "third")
        #expect(symbols.function(at: 0xffff_ffff_8100_0050) == nil)
        #expect(symbols.function(at: .max) == nil)
    }

    @Test func lastFunctionIsKnownByItsFirstByteOnly() {
        let symbols = symbols("1000 T one", "2000 t last\t[module]")
        #expect(symbols.function(at: 0x2000) == "last" && symbols.function(at: 0x2001) == nil)
    }

    @Test func functionFarBehindIsAnother() {
        let symbols = symbols("100000 t end_of_code", "9000000 d data")
        #expect(symbols.function(at: 0x100000 + 256 << 10 - 1) == "end_of_code")
        #expect(symbols.function(at: 0x100000 + 256 << 10) == nil)
    }

    /// Code of a module without symbols, or code made at run time, may follow.
    @Test func lastFunctionOfAModuleEndsWithTheModule() {
        let lines = [
            "ffffffff81000000 T kernel", "ffffffffc0000000 t first\t[one]", "ffffffffc0000100 t last\t[one]",
            "ffffffffc0003000 t other\t[two]", "ffffffffc0009000 t bpf_prog_1\t[bpf]",
        ]
        let modules = "one 8192 0 - Live 0xffffffffc0000000 (E)\ntwo 4096 1 one, Live 0xffffffffc0003000\nthree x\n"
        let text = Array(lines.map { $0 + "\n" }.joined().utf8)
        let symbols = KernelSymbols(text: text, modules: Array(modules.utf8))
        #expect(symbols.function(at: 0xffff_ffff_8100_0001) == nil)
        #expect(symbols.function(at: 0xffff_ffff_c000_00ff) == "first")
        #expect(symbols.function(at: 0xffff_ffff_c000_1fff) == "last")
        #expect(symbols.function(at: 0xffff_ffff_c000_2000) == nil)
        #expect(symbols.function(at: 0xffff_ffff_c000_3fff) == "other")
        #expect(symbols.function(at: 0xffff_ffff_c000_4000) == nil)
        // Where nothing says how long modules are.
        #expect(KernelSymbols(text: text).function(at: 0xffff_ffff_c000_0100) == "last")
        #expect(KernelSymbols(text: text).function(at: 0xffff_ffff_c000_0101) == nil)
    }

    @Test func bestKnownNameIsGiven() {
        let symbols = symbols(
            "1000 t local", "1000 T global", "1000 B data", "2000 T __two", "2000 T _two", "2000 T two", "3000 T __one",
            "3000 T _one", "4000 d end")
        #expect(symbols.function(at: 0x1000) == "global" && symbols.function(at: 0x2000) == "two")
        #expect(symbols.function(at: 0x3000) == "_one")
    }

    @Test func withoutThePrivilegeThereAreNone() {
        let symbols = symbols("0000000000000000 T first", "0000000000000000 T second")
        #expect(symbols.function(at: 0) == nil && symbols.function(at: 0x1000) == nil)
    }

    @Test func otherLinesAreIgnored() {
        let symbols = symbols("", "1000", "1000 T", "zzz T f", "1000 TT f", "1000 T good", "2000 A x")
        #expect(symbols.function(at: 0x1fff) == "good")
        #expect(KernelSymbols(text: Array("1000 T f\n2000 T g".utf8)).function(at: 0x2000) == "g")
        #expect(KernelSymbols(text: []).function(at: 0x1000) == nil)
    }
}
