import ELF
import Glibc
import func TestFixtures.run
import Testing

struct RelocationTests {
    struct Relocation {
        var place: UInt64
        var symbol: UInt32
        var type: UInt32
        var addend: Int64 = 0
    }

    /// A relocatable file with `bytes` as `.eh_frame`, a symbol 1 with value 0x100, and relocations.
    private func object(
        _ bytes: [UInt8], _ relocations: [Relocation], machine: UInt16 = 62, is64Bit: Bool = true,
        bigEndian: Bool = false, hasAddend: Bool = true, name: String = ".eh_frame"
    ) -> ELFBuilder {
        var symbols = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        symbols.bytes = Array(repeating: 0, count: is64Bit ? 24 : 16)
        symbols.word(0)
        if is64Bit { symbols.half(0); symbols.half(1) }
        symbols.address(0x100)
        symbols.address(0)
        if !is64Bit { symbols.half(0); symbols.half(1) }
        var table = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        for relocation in relocations {
            table.address(relocation.place)
            if is64Bit {
                table.giant(UInt64(relocation.symbol) << 32 | UInt64(relocation.type))
            } else {
                table.word(relocation.symbol << 8 | relocation.type)
            }
            if hasAddend { table.address(UInt64(bitPattern: relocation.addend)) }
        }
        return ELFBuilder(
            is64Bit: is64Bit, bigEndian: bigEndian, type: 1, machine: machine,
            sections: [
                .init(name: name, bytes: bytes),
                .init(name: ".symtab", type: 2, bytes: symbols.bytes),
                .init(
                    name: (hasAddend ? ".rela" : ".rel") + name, type: hasAddend ? 4 : 9, bytes: table.bytes,
                    link: 2, info: 1),
            ])
    }

    private func relocated(_ builder: ELFBuilder, _ kind: CallFrameSectionKind = .ehFrame) throws -> [UInt8] {
        let image = try image(builder)
        let bytes = Array(try #require(try image.callFrameSection(kind)).bytes)
        #expect(try Array(#require(try image.callFrameSection(kind)).bytes) == bytes, "applied twice")
        #expect(try image.contents(of: builder.sections[0].name) == builder.sections[0].bytes, "not a copy")
        return bytes
    }

    @Test(
        arguments: [
            (type: 1, width: 8, relative: false), (type: 2, width: 4, relative: true),
            (type: 4, width: 4, relative: true),
            (type: 10, width: 4, relative: false), (type: 11, width: 4, relative: false),
            (type: 24, width: 8, relative: true),
        ] as [(type: UInt32, width: Int, relative: Bool)])
    func x86_64(type: UInt32, width: Int, relative: Bool) throws {
        let bytes = try relocated(
            object(Array(repeating: 0xcc, count: 24), [.init(place: 8, symbol: 1, type: type, addend: -0x200)]))
        let value: Int64 = 0x100 - 0x200 - (relative ? 8 : 0)
        #expect(Array(bytes[8..<8 + width]) == Array(encoded(value)[..<width]))
        #expect(bytes[..<8].allSatisfy { $0 == 0xcc } && bytes[(8 + width)...].allSatisfy { $0 == 0xcc })
    }

    @Test(
        arguments: [
            (type: 257, width: 8, relative: false), (type: 258, width: 4, relative: false),
            (type: 260, width: 8, relative: true), (type: 261, width: 4, relative: true),
        ] as [(type: UInt32, width: Int, relative: Bool)], [true, false])
    func aarch64(_ rule: (type: UInt32, width: Int, relative: Bool), bigEndian: Bool) throws {
        let bytes = try relocated(
            object(
                Array(repeating: 0xcc, count: 24), [.init(place: 8, symbol: 1, type: rule.type, addend: 0x20)],
                machine: 183, bigEndian: bigEndian))
        let value: Int64 = 0x120 - (rule.relative ? 8 : 0)
        let expected =
            rule.width == 8 ? encoded(value, bigEndian: bigEndian) : encoded(Int32(value), bigEndian: bigEndian)
        #expect(Array(bytes[8..<8 + rule.width]) == expected)
    }

    @Test func i386KeepsTheAddendAtThePlace() throws {
        let bytes = try relocated(
            object(
                encoded(Int32(-4)) + encoded(UInt32(0x20)),
                [.init(place: 0, symbol: 1, type: 2), .init(place: 4, symbol: 1, type: 1)],
                machine: 3, is64Bit: false, hasAddend: false, name: ".debug_frame"), .debugFrame)
        #expect(bytes == encoded(UInt32(0xfc)) + encoded(UInt32(0x120)))
    }

    /// Machine, type, size in bytes, whether relative to the relocated address, byte order: as in each psABI.
    @Test(
        arguments: [
            (2, 23, 4, false, true), (2, 6, 4, true, true), (43, 54, 8, false, true), (43, 46, 8, true, true),
            (8, 2, 4, false, true), (8, 18, 8, false, true), (8, 248, 4, true, true),
            (21, 1, 4, false, true), (21, 26, 4, true, false), (21, 38, 8, false, false), (21, 44, 8, true, true),
            (22, 4, 4, false, true), (22, 5, 4, true, true), (22, 22, 8, false, true), (22, 23, 8, true, true),
            (40, 2, 4, false, false), (40, 3, 4, true, false),
            (243, 1, 4, false, false), (243, 2, 8, false, false), (243, 57, 4, true, false), (243, 55, 2, false, false),
            (258, 1, 4, false, false), (258, 2, 8, false, false), (258, 99, 4, true, false), (258, 109, 8, true, false),
        ] as [(UInt16, UInt32, Int, Bool, Bool)])
    func otherMachines(_ machine: UInt16, _ type: UInt32, _ width: Int, _ isRelative: Bool, _ bigEndian: Bool) throws {
        let bytes = try relocated(
            object(
                Array(repeating: 0xcc, count: 24), [.init(place: 8, symbol: 1, type: type, addend: 0x20)],
                machine: machine, bigEndian: bigEndian))
        let value = encoded(Int64(0x120 - (isRelative ? 8 : 0)), bigEndian: bigEndian)
        #expect(Array(bytes[8..<8 + width]) == Array(bigEndian ? value.suffix(width) : value.prefix(width)))
        #expect(bytes[..<8].allSatisfy { $0 == 0xcc } && bytes[(8 + width)...].allSatisfy { $0 == 0xcc })
    }

    /// RISC-V and LoongArch encode a difference as two relocations of one offset.
    @Test(
        arguments: [
            (243, 33, 37, 1), (243, 34, 38, 2), (243, 35, 39, 4), (243, 36, 40, 8), (258, 47, 52, 1),
            (258, 48, 53, 2), (258, 50, 55, 4), (258, 51, 56, 8),
        ] as [(UInt16, UInt32, UInt32, Int)])
    func differences(_ machine: UInt16, _ add: UInt32, _ subtract: UInt32, _ width: Int) throws {
        let bytes = try relocated(
            object(
                [7] + Array(repeating: 0, count: 15),
                [.init(place: 0, symbol: 1, type: add, addend: 0x30), .init(place: 0, symbol: 1, type: subtract)],
                machine: machine))
        #expect(Array(bytes[..<8]) == encoded(Int64(7 + 0x30)))
    }

    /// Only the six low bits of DW_CFA_advance_loc are changed, not the opcode above them.
    @Test(arguments: [(243, 53, 52, 0x30), (258, 105, 106, 0x35)] as [(UInt16, UInt32, UInt32, UInt8)])
    func differencesOfSixBits(_ machine: UInt16, _ add: UInt32, _ subtract: UInt32, _ difference: UInt8) throws {
        let bytes = try relocated(
            object(
                [0x45, 0xff],
                [.init(place: 0, symbol: 1, type: add, addend: 0x30), .init(place: 0, symbol: 1, type: subtract)],
                machine: machine))
        #expect(bytes == [0x40 | difference, 0xff])
    }

    @Test func relocationsOfMIPSInLittleEndianHaveFieldsOfTheirOwn() throws {
        // r_sym, r_ssym, r_type3, r_type2, r_type: 1, then none but R_MIPS_64. ELFBuilder writes sym << 32 | type.
        func object(types: UInt32) throws -> ELFBuilder {
            var builder = self.object(
                Array(repeating: 0, count: 8), [.init(place: 0, symbol: types, type: 1, addend: 0x20)], machine: 8)
            builder.bigEndian = false
            return builder
        }
        #expect(try relocated(object(types: 18 << 24)) == encoded(Int64(0x120)))
        // A second type is not supported.
        #expect(relocationError(try object(types: 18 << 24 | 2 << 16))?.isUnsupported == true)
    }

    @Test func noneDoesNothing() throws {
        let bytes: [UInt8] = Array(repeating: 0xcc, count: 8)
        #expect(try relocated(object(bytes, [.init(place: 8, symbol: 0, type: 0)])) == bytes)
    }

    private func relocationError(_ builder: ELFBuilder) -> ELFError? {
        elfError { try image(builder).callFrameSection(.ehFrame) }
    }

    @Test func unknownTypeIsUnsupportedByNumber() throws {
        let builder = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: 1, type: 42)])
        let error = try #require(relocationError(builder))
        #expect(error.isUnsupported && error.section == ".rela.eh_frame" && error.description.contains("42 of x86-64"))
        // h8/300: none of its types is supported.
        let other = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: 1, type: 1)], machine: 46)
        #expect(relocationError(other)?.isUnsupported == true)
    }

    @Test(arguments: [1, 8, 9, UInt64.max, UInt64.max - 7])
    func placeOutsideTheSectionIsMalformed(place: UInt64) throws {
        let builder = object(Array(repeating: 0, count: 8), [.init(place: place, symbol: 1, type: 1)])
        #expect(relocationError(builder)?.isMalformed == true)
    }

    @Test(arguments: [2, UInt32.max])
    func unknownSymbolIsMalformed(symbol: UInt32) throws {
        let builder = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: symbol, type: 1)])
        #expect(relocationError(builder)?.isMalformed == true)
    }

    @Test(arguments: [1 << 32, -1 << 31 - 0x101, Int64.max - 0x100] as [Int64])
    func valueThatDoesntFitIsMalformed(addend: Int64) throws {
        let builder = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: 1, type: 10, addend: addend)])
        #expect(relocationError(builder)?.isMalformed == true)
    }

    @Test func cutOffTableAndMissingSymbolsAreMalformed() throws {
        var builder = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: 1, type: 1)])
        builder.sections[2].bytes.removeLast()
        #expect(relocationError(builder)?.isMalformed == true)
        builder = object(Array(repeating: 0, count: 8), [.init(place: 0, symbol: 1, type: 1)])
        builder.sections[2].link = 1000
        #expect(relocationError(builder)?.isMalformed == true)
        builder.sections[2].link = 1
        #expect(relocationError(builder)?.isMalformed == true)
    }

    @Test func executablesKeepTheirBytes() throws {
        var builder = object(Array(repeating: 0xcc, count: 8), [.init(place: 0, symbol: 1, type: 1)])
        builder.type = 2  // ld --emit-relocs
        #expect(try relocated(builder) == Array(repeating: 0xcc, count: 8))
    }

    @Test(arguments: ["x86_64-linux-gnu", "aarch64-linux-gnu"])
    func initialLocationsOfAnAssembledFileAreWhereItsFunctionsAre(target: String) throws {
        let directory = try TemporaryDirectory()
        let source = """
            .text
            .space 0x40
            f: .cfi_startproc
            .space 0x20
            .cfi_endproc
            g: .cfi_startproc
            .space 0x10
            .cfi_endproc

            """
        let path = try directory.write(Array(source.utf8), to: "a.s")
        try run("clang", "--target=\(target)", "-c", "-o", path + ".o", path)
        let found = try #require(try ELFImage(path: path + ".o").callFrameSection(.ehFrame))
        // A CIE, then FDEs: length, CIE pointer, initial location (pcrel sdata4), range.
        var locations: [Int] = []
        var offset = 0
        while offset + 16 <= found.bytes.count {
            let length = Int(found.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            if found.bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self) != 0 {
                let relative = found.bytes.loadUnaligned(fromByteOffset: offset + 8, as: Int32.self)
                locations.append(offset + 8 + Int(relative))
            }
            offset += 4 + length
        }
        #expect(locations == [0x40, 0x60])
    }
}
