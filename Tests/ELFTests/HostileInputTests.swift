import ELF
import Testing

/// Calls all functions of an image. Any result except a trap is accepted.
private func exercise(_ bytes: [UInt8]) {
    guard let image = try? ELFImage(bytes: bytes, name: "hostile") else { return }
    _ = try? image.buildID()
    _ = try? image.executableRanges()
    _ = try? image.isSeparateDebugFile()
    for kind in [CallFrameSectionKind.ehFrame, .debugFrame] {
        for section in (try? image.callFrameSections(kind)) ?? [] {
            _ = section.bytes.reduce(0) { $0 &+ Int($1) }
        }
    }
    _ = try? image.debugLink()
    _ = try? image.miniDebugInfo()?.sections()
    _ = (try? image.functionSymbols())?.lookup(0x1008)
    for section in (try? image.sections()) ?? [] {
        _ = (try? image.bytes(of: section))?.reduce(0) { $0 &+ Int($1) }
    }
}

struct HostileInputTests {
    /// A file with one section of each kind.
    static func everything(is64Bit: Bool, bigEndian: Bool, type: UInt16) -> [UInt8] {
        var compressed = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        compressed.word(1)
        if is64Bit { compressed.word(0) }
        compressed.address(20)
        compressed.address(1)
        var symbols = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        symbols.bytes = Array(repeating: 0, count: is64Bit ? 24 : 16)
        symbols.word(1)
        if !is64Bit { symbols.address(0x1000); symbols.address(16) }
        symbols.bytes += [0x12, 0]
        symbols.half(1)
        if is64Bit { symbols.address(0x1000); symbols.address(16) }
        var relocation = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        relocation.address(4)
        relocation.address(is64Bit ? 1 << 32 | 2 : 1 << 8 | 2)
        relocation.address(4)
        let header: [UInt8] = [1, 0x1b, 0xff, 0xff] + encoded(Int32(0x2000 - 0x3004), bigEndian: bigEndian)
        return ELFBuilder(
            is64Bit: is64Bit, bigEndian: bigEndian, type: type,
            segments: [
                .init(flags: 5, covering: ".text"), .init(type: 4, covering: ".note", alignment: 4),
                .init(flags: 4, covering: ".eh_frame"), .init(type: 0x6474_e550, covering: ".eh_frame_hdr"),
            ],
            sections: [
                .init(name: ".text", flags: ELFBuilder.code, address: 0x1000, bytes: Array(repeating: 0x90, count: 16)),
                .init(name: ".note", type: 7, bytes: buildIDNote([1, 2, 3, 4], bigEndian: bigEndian)),
                .init(name: ".eh_frame", flags: 2, address: 0x2000, bytes: Array(repeating: 7, count: 24)),
                .init(name: ".eh_frame_hdr", flags: 2, address: 0x3000, bytes: header),
                .init(name: ".debug_frame", flags: 0x800, bytes: compressed.bytes + zlibStored(Array(0..<20))),
                .init(name: ".gnu_debuglink", bytes: Array("a.debug\0".utf8) + [1, 2, 3, 4]),
                .init(name: ".symtab", type: 2, bytes: symbols.bytes, link: 8),
                .init(name: ".strtab", type: 3, bytes: [0] + Array("main\0".utf8)),
                .init(name: ".rela.eh_frame", type: 4, bytes: relocation.bytes, link: 7, info: 3),
                .init(
                    name: ".zdebug_frame",
                    bytes: Array("ZLIB".utf8) + encoded(UInt64(2), bigEndian: true) + zlibStored([1, 2])),
            ]
        ).bytes
    }

    @Test(arguments: [true, false], [true, false])
    func everyTruncationIsSurvived(is64Bit: Bool, bigEndian: Bool) {
        let bytes = Self.everything(is64Bit: is64Bit, bigEndian: bigEndian, type: 3)
        for count in bytes.indices { exercise(Array(bytes[..<count])) }
    }

    @Test(arguments: [true, false], [true, false])
    func everyByteMayBeAnything(is64Bit: Bool, bigEndian: Bool) {
        for type in [1, 3] as [UInt16] {
            var bytes = Self.everything(is64Bit: is64Bit, bigEndian: bigEndian, type: type)
            exercise(bytes)
            for index in bytes.indices {
                let original = bytes[index]
                for value in [original ^ 1, original ^ 0x80, ~original, 0, 0xff, 0x7f] where value != original {
                    bytes[index] = value
                    exercise(bytes)
                }
                bytes[index] = original
            }
        }
    }

    @Test func everythingIsReadWhenWhole() throws {
        for (is64Bit, bigEndian) in [(true, true), (true, false), (false, true), (false, false)] {
            let image = try ELFImage(
                bytes: Self.everything(is64Bit: is64Bit, bigEndian: bigEndian, type: 3), name: "whole")
            #expect(try image.buildID() == [1, 2, 3, 4])
            #expect(try image.callFrameSections(.debugFrame).map(\.bytes.count) == [20, 2])
            #expect(try image.callFrameSections(.ehFrame).count == 1)
            #expect(try image.functionSymbols().lookup(0x1008)?.name == "main")
            #expect(try image.debugLink()?.name == "a.debug")
        }
    }

    @Test(.timeLimit(.minutes(30)))
    func twentyThousandSectionsToRelocateTakeNoTime() throws {
        // Searching all sections for the relocations of each would take two hundred million steps.
        var builder = ELFBuilder(type: 1)
        for index in 0..<10_000 as Range<UInt32> {
            builder.sections.append(.init(name: ".eh_frame", bytes: [1]))
            builder.sections.append(.init(name: ".rela", type: 4, link: 20_001, info: index * 2 + 1))
        }
        builder.sections.append(.init(name: ".symtab", type: 2, bytes: Array(repeating: 0, count: 24)))
        let image = try image(builder)
        #expect(try image.callFrameSections(.ehFrame).count == 10_000)
    }
}
