@testable import ELF
import Testing

struct FunctionSymbolTests {
    struct Symbol {
        var name: String
        var address: UInt64
        var size: UInt64 = 0
        var info: UInt8 = 0x12  // STB_GLOBAL, STT_FUNC
        var section: UInt16 = 1
    }

    private func tables(
        _ symbols: [Symbol], is64Bit: Bool = true, bigEndian: Bool = false, dynamic: Bool = false, link: UInt32 = 2
    ) -> [ELFBuilder.Section] {
        var table = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        table.bytes = Array(repeating: 0, count: is64Bit ? 24 : 16)
        var names: [UInt8] = [0]
        for symbol in symbols {
            table.word(UInt32(names.count))
            names += Array(symbol.name.utf8) + [0]
            if !is64Bit { table.address(symbol.address); table.address(symbol.size) }
            table.bytes += [symbol.info, 0]
            table.half(symbol.section)
            if is64Bit { table.address(symbol.address); table.address(symbol.size) }
        }
        return [
            .init(name: dynamic ? ".dynsym" : ".symtab", type: dynamic ? 11 : 2, bytes: table.bytes, link: link),
            .init(name: dynamic ? ".dynstr" : ".strtab", type: 3, bytes: names),
        ]
    }

    private func symbols(_ symbols: [Symbol]) throws -> FunctionSymbols {
        try image(ELFBuilder(sections: tables(symbols))).functionSymbols()
    }

    @Test(arguments: [true, false], [true, false])
    func lookupGivesNameAndOffset(is64Bit: Bool, bigEndian: Bool) throws {
        let sections = tables(
            [.init(name: "g", address: 0x2000, size: 0x10), .init(name: "f", address: 0x1000, size: 0x20)],
            is64Bit: is64Bit, bigEndian: bigEndian)
        // The image may be deallocated before its symbols.
        let builder = ELFBuilder(is64Bit: is64Bit, bigEndian: bigEndian, sections: sections)
        let symbols = try image(builder).functionSymbols()
        #expect(symbols.count == 2)
        #expect(symbols.lookup(0xfff) == nil)
        #expect(try #require(symbols.lookup(0x1000)) == ("f", 0))
        #expect(try #require(symbols.lookup(0x101f)) == ("f", 0x1f))
        #expect(symbols.lookup(0x1020) == nil)
        #expect(try #require(symbols.lookup(0x2008)) == ("g", 8))
        #expect(symbols.lookup(UInt64.max) == nil)
    }

    @Test func functionOfUnknownSizeReachesToTheNext() throws {
        let code = ELFBuilder.Section(
            name: ".text", flags: 6, address: 0x1000, bytes: Array(repeating: 0x90, count: 0x180))
        let sections =
            tables([
                .init(name: "f", address: 0x1000, section: 3), .init(name: "g", address: 0x1100, size: 1, section: 3),
                .init(name: "h", address: 0x1110, section: 3), .init(name: "nowhere", address: 0x2000, section: 3),
            ]) + [code]
        let symbols = try image(ELFBuilder(sections: sections)).functionSymbols()
        #expect(try #require(symbols.lookup(0x10ff)) == ("f", 0xff))
        #expect(symbols.lookup(0x1101) == nil)
        // To the end of the section.
        #expect(try #require(symbols.lookup(0x117f)) == ("h", 0x6f))
        #expect(symbols.lookup(0x1180) == nil && symbols.lookup(0x2000) == nil)
    }

    @Test func functionWithinAnotherDoesntHideTheRest() throws {
        let symbols = try symbols([
            .init(name: "outer", address: 0x1000, size: 0x100), .init(name: "inner", address: 0x1010, size: 0x10),
        ])
        #expect(try #require(symbols.lookup(0x1015)) == ("inner", 5))
        #expect(try #require(symbols.lookup(0x1080)) == ("outer", 0x80))
    }

    @Test func functionsThatOverlapEndWhereTheySay() throws {
        let symbols = try symbols([
            .init(name: "a", address: 0x1000, size: 0x30), .init(name: "b", address: 0x1010, size: 0x100),
            .init(name: "c", address: 0x1020, size: 8), .init(name: "d", address: 0x1028, size: 8),
            .init(name: "e", address: 0x1110, size: 1), .init(name: "f", address: UInt64.max - 1, size: 100),
        ])
        let expected: [(UInt64, String?)] = [
            (0x100f, "a"), (0x1010, "b"), (0x1020, "c"), (0x1027, "c"), (0x1028, "d"), (0x1030, "b"), (0x110f, "b"),
            (0x1110, "e"), (0x1111, nil), (UInt64.max - 1, "f"),
        ]
        for (address, name) in expected { #expect(symbols.lookup(address)?.name == name, "\(address)") }
    }

    /// With any number and depth of nested functions.
    @Test func manyFunctionsWithinAnotherDontHideIt() throws {
        let inner = (0..<1000).map { Symbol(name: "inner", address: 0x1010 + $0 * 16, size: 8) }
        let symbols = try symbols([.init(name: "outer", address: 0x1000, size: 0x10000)] + inner)
        #expect(symbols.lookup(0x1010 + 999 * 16 + 8)?.name == "outer")
        #expect(symbols.lookup(0x1010 + 999 * 16)?.name == "inner")
    }

    /// Local symbols without a type in code, none of which is a function's name.
    @Test(arguments: [".L1", "..@2.end", ".annobin_f.c", "$x", "$x.1", "$d", "$d.12", "$xrv64i2p1", "f.loop"])
    func whatToolsMarkIsNoFunction(name: String) throws {
        let code = ELFBuilder.Section(
            name: ".text", flags: 6, address: 0x1000, bytes: Array(repeating: 0x90, count: 0x100))
        func found(_ name: String) throws -> String? {
            let sections =
                tables([
                    .init(name: "f", address: 0x1000, section: 3),
                    .init(name: name, address: 0x1080, info: 0, section: 3),
                ]) + [code]
            return try image(ELFBuilder(sections: sections)).functionSymbols().lookup(0x1080)?.name
        }
        #expect(try found(name) == "f")
        // A similar name is a function's.
        let other = name.replacing("$", with: "x$").replacing(".", with: "_")
        #expect(try found(other) == other)
    }

    @Test func marksBesideCodeAreNoFunctions() throws {
        let sections =
            tables([
                .init(name: "end", address: 0x1100, info: 0x10, section: 3),
                .init(name: "data", address: 0x2000, info: 0x10, section: 4),
                .init(name: "absolute", address: 0x1010, info: 0x10, section: 0xfff1),
            ]) + [
                .init(name: ".text", flags: 6, address: 0x1000, bytes: Array(repeating: 0x90, count: 0x100)),
                .init(name: ".data", flags: 3, address: 0x2000, bytes: [0]),
            ]
        let symbols = try image(ELFBuilder(sections: sections)).functionSymbols()
        #expect(symbols.count == 1 && symbols.lookup(0x1010)?.name == "absolute")
    }

    @Test func noMoreSymbolsThanTheLimitAreRead() throws {
        let sections = tables((1...4).map { Symbol(name: "f\($0)", address: UInt64($0) * 0x1000, size: 8) } as [Symbol])
        // The first symbol is the empty symbol 0.
        for (limit, isCut) in [(4, true), (5, false)] {
            let symbols = try FunctionSymbols(of: image(ELFBuilder(sections: sections)), limit: limit)
            #expect(symbols.count == limit - 1)
            #expect((symbols.problem?.description.contains("more than \(limit) symbols") ?? false) == isCut)
        }
    }

    @Test func brokenTableCostsItself() throws {
        var sections = tables([.init(name: "f", address: 0x1000, size: 8)])
        sections[0].link = 99
        let dynamic = tables([.init(name: "g", address: 0x2000, size: 8)], dynamic: true, link: 4)
        let symbols = try image(ELFBuilder(sections: sections + dynamic)).functionSymbols()
        #expect(symbols.lookup(0x2000)?.name == "g" && symbols.problem?.section == ".symtab")
    }

    @Test func dynamicSymbolsAddToOthers() throws {
        let sections =
            tables([.init(name: "f", address: 0x1000, size: 8)])
            + tables([.init(name: "g", address: 0x2000, size: 8)], dynamic: true, link: 4)
        let symbols = try image(ELFBuilder(sections: sections)).functionSymbols()
        #expect(symbols.lookup(0x1000)?.name == "f" && symbols.lookup(0x2000)?.name == "g" && symbols.problem == nil)
    }

    @Test func globalNameWithASizeIsPreferred() throws {
        let symbols = try symbols([
            .init(name: "local", address: 0x1000, size: 8, info: 0x02),
            .init(name: "global", address: 0x1000, size: 8),
            .init(name: "weak", address: 0x1000, size: 8, info: 0x22),
            .init(name: "unsized", address: 0x1000),
        ])
        #expect(symbols.count == 1 && symbols.lookup(0x1000)?.name == "global")
    }

    @Test func dataAndUndefinedSymbolsAreLeftOut() throws {
        let symbols = try symbols([
            .init(name: "data", address: 0x1000, size: 8, info: 0x11),
            .init(name: "undefined", address: 0x1000, size: 8, section: 0),
            .init(name: "ifunc", address: 0x2000, size: 8, info: 0x1a),
        ])
        #expect(symbols.count == 1 && symbols.lookup(0x2000)?.name == "ifunc")
    }

    @Test func dynamicSymbolsStandInForMissingOnes() throws {
        let dynamic = tables([.init(name: "f", address: 0x1000, size: 8)], dynamic: true, link: 2)
        #expect(try image(ELFBuilder(sections: dynamic)).functionSymbols().lookup(0x1000)?.name == "f")
        #expect(try image(ELFBuilder()).functionSymbols().isEmpty)
    }

    @Test func stringTableThatIsMissingOrUnterminatedIsHandled() throws {
        var sections = tables([.init(name: "f", address: 0x1000, size: 8)])
        sections[0].link = 99
        #expect(elfError { try image(ELFBuilder(sections: sections)).functionSymbols() }?.section == ".symtab")
        sections[0].link = 2
        sections[1].bytes.removeLast()
        #expect(try image(ELFBuilder(sections: sections)).functionSymbols().lookup(0x1000) == nil)
        sections[0].bytes.removeLast()
        #expect(elfError { try image(ELFBuilder(sections: sections)).functionSymbols() }?.isMalformed == true)
    }
}
