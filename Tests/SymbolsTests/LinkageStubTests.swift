import ELF
import Symbols
import TestFixtures
import Testing

/// Stubs of the procedure linkage table are named after their targets.
@Suite struct LinkageStubTests {
    /// Calls two functions of another library, and takes the address of a third one, for which linkers make a .plt.got.
    private static let x86_64 = """
        .text
        .globl caller
        .type caller, @function
        caller:
        call one@PLT
        call two@PLT
        call three@PLT
        mov three@GOTPCREL(%rip), %rax
        ret
        .size caller, .-caller
        .section .init, "ax"
        .globl _init
        .type _init, @function
        _init:
        ret
        .section .fini, "ax"
        .globl _fini
        .type _fini, @function
        _fini:
        ret
        .section .note.GNU-stack, "", @progbits
        """
    private static let aarch64 = """
        .text
        .globl caller
        .type caller, @function
        caller:
        bl one
        bl two
        ret
        .size caller, .-caller
        """

    /// For each section of stubs, the names at all its addresses, without repetitions; `-` for none.
    private func names(_ assembly: String, _ words: [String]) throws -> [String: [String]] {
        let fixture = try Fixture()
        let source = try fixture.write(Array((assembly + "\n").utf8), to: "stubs.s")
        let path = "\(fixture.directory)/stubs.so"
        try run(words: words + ["-nostdlib", "-shared", "-o", path, source])
        let image = try ELFImage(path: path)
        let names = ImageNames(image)
        if words[0] == "gcc" { try expectAgreement(names, path) }
        var found: [String: [String]] = [:]
        for section in try image.sections() where section.name.hasPrefix(".plt") {
            var list: [String] = []
            for address in section.address..<section.address + section.size {
                let name = names.lookup(address)?.name ?? "-"
                if list.last != name { list.append(name) }
            }
            // Linkers order stubs differently.
            found[section.name] = list.sorted()
        }
        return found
    }

    /// Compares the names with objdump(1)'s: `0000000000001030 <one@plt>:`.
    private func expectAgreement(_ names: ImageNames, _ path: String) throws {
        for match in try run("objdump", "-d", path).matches(of: /(?m)^([0-9a-f]{16}) <(.*@plt)>:$/) {
            let address = try #require(UInt64(match.1, radix: 16))
            #expect(names.lookup(address)?.name == String(match.2), "\(match.0)")
        }
    }

    @Test func lazyStubs() throws {
        let found = try names(Self.x86_64, ["gcc", "-Wl,-z,lazy"])
        #expect(found == [".plt": ["-", "one@plt", "two@plt"], ".plt.got": ["three@plt"]])
    }

    @Test func stubsThatAreBoundAtTheStart() throws {
        let found = try names(Self.x86_64, ["gcc", "-Wl,-z,now"])
        #expect(found == [".plt": ["-", "one@plt", "two@plt"], ".plt.got": ["three@plt"]])
    }

    @Test func stubsForIndirectBranchTracking() throws {
        let found = try names(Self.x86_64, ["gcc", "-Wl,-z,ibtplt", "-Wl,-z,lazy"])
        #expect(
            found == [
                ".plt": ["-", "one@plt", "two@plt"], ".plt.sec": ["one@plt", "two@plt"], ".plt.got": ["three@plt"],
            ])
    }

    @Test func stubsOfLLD() throws {
        let found = try names(Self.x86_64, ["clang", "--target=x86_64-linux-gnu", "-fuse-ld=lld"])
        #expect(found == [".plt": ["-", "one@plt", "three@plt", "two@plt"]])
    }

    @Test func stubsOfAArch64() throws {
        let found = try names(Self.aarch64, ["clang", "--target=aarch64-linux-gnu", "-fuse-ld=lld"])
        #expect(found == [".plt": ["-", "one@plt", "two@plt"]])
    }

    @Test func stubsForBranchTargetIdentification() throws {
        let found = try names(
            Self.aarch64, ["clang", "--target=aarch64-linux-gnu", "-fuse-ld=lld", "-Wl,-z,force-bti"])
        #expect(found == [".plt": ["-", "one@plt", "two@plt"]])
    }

    @Test func initAndFiniEndWithTheirSections() throws {
        let fixture = try Fixture()
        let source = try fixture.write(Array((Self.x86_64 + "\n").utf8), to: "stubs.s")
        let path = "\(fixture.directory)/stubs.so"
        try run(words: ["gcc", "-nostdlib", "-shared", "-o", path, source])
        let image = try ELFImage(path: path)
        let symbols = try image.functionSymbols()
        for (section, name) in [(".init", "_init"), (".fini", "_fini")] {
            let section = try #require(try image.sections().first { $0.name == section })
            #expect(symbols.lookup(section.address)?.name == name)
            #expect(symbols.lookup(section.address + section.size)?.name != name)
        }
    }

    /// In a static executable, slots are filled with the results of resolver functions.
    @Test func stubsOfIndirectFunctions() throws {
        let fixture = try Fixture()
        let source = try fixture.write(
            Array(
                """
                .text
                .globl _start, chosen
                .type _start, @function
                _start:
                call chosen
                ret
                .size _start, .-_start
                .type chosen, @gnu_indirect_function
                chosen:
                ret
                .size chosen, .-chosen

                """.utf8), to: "ifunc.s")
        let path = "\(fixture.directory)/ifunc"
        try run(words: ["gcc", "-nostdlib", "-static", "-o", path, source])
        let image = try ELFImage(path: path)
        let section = try #require(try image.sections().first { [".plt", ".iplt"].contains($0.name) })
        #expect(try image.functionSymbols().lookup(section.address)?.name == "chosen@plt")
    }
}
