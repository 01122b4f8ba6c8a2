import CallFrameInfo
import Testing

/// Encoded addresses (LSB Core, "DWARF Exception Header Encoding").
@Suite struct PointerTests {
    @Test(
        arguments: [
            (0x00, [0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 0x1000),  // absptr
            (0x01, [0x80, 0x20, 0x80, 0x02], 0x1000),  // uleb128
            (0x02, [0, 0x90, 0, 1], 0x9000),  // udata2
            (0x03, [0, 0, 0, 0x90, 0, 1, 0, 0], 0x9000_0000),  // udata4
            (0x04, [0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 0x1000),  // udata8
            (0x09, [0x80, 0x20, 0x80, 0x02], 0x1000),  // sleb128
            (0x0a, [0, 0x80, 0, 1], 0xffff_ffff_ffff_8000),  // sdata2
            (0x0b, [0, 0, 0, 0x80, 0, 1, 0, 0], 0xffff_ffff_8000_0000),  // sdata4
            (0x0c, [0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 0x1000),  // sdata8
            (0x13, [0, 0x10, 0, 0, 0, 1, 0, 0], 0x51000 + 26),  // pcrel: CIE of 18 bytes, 8 bytes of header
            (0x23, [0, 0x10, 0, 0, 0, 1, 0, 0], 0x101000),  // textrel
            (0x33, [0, 0x10, 0, 0, 0, 1, 0, 0], 0x201000),  // datarel
        ] as [(UInt8, [UInt8], UInt64)])
    func pointerEncodings(_ encoding: UInt8, _ range: [UInt8], _ start: UInt64) throws {
        var builder = FrameBuilder(address: 0x50000)
        let cie = builder.cie(augmentation: "zR", augmentationData: [encoding], instructions: [0])
        let fde = builder.fde(cie: cie, range: range, augmentationData: [])
        #expect(fde == 18)
        #expect(try builder.range(fde) == start..<start &+ 0x100)
    }

    @Test func alignedAndIndirectPointers() throws {
        var builder = FrameBuilder()
        let aligned = builder.cie(augmentation: "zR", augmentationData: [0x50])
        let indirect = builder.cie(augmentation: "zR", augmentationData: [0x9b])
        // Padding that aligns the start to 8.
        let padding = (8 - (builder.bytes.count + 8) % 8) % 8
        let good = builder.fde(
            cie: aligned,
            range: [UInt8](repeating: 0xaa, count: padding) + builder.integer(0x1000, size: 8)
                + builder.integer(0x100, size: 8),
            augmentationData: [])
        let bad = builder.fde(cie: indirect, range: [UInt8](repeating: 0, count: 8), augmentationData: [])
        #expect(try builder.range(good) == 0x1000..<0x1100)
        #expect(throws: CFIError.indirectPointer) { try builder.range(bad) }
    }

    @Test(arguments: [0xff, 0x05, 0x6b] as [UInt8])
    func encodingsWithoutAnAddressAreRefused(_ encoding: UInt8) {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "zR", augmentationData: [encoding])
        #expect(throws: CFIError.unsupportedPointerEncoding) { try builder.readCIE(cie) }
    }

    @Test func addressesWrapAtTheAddressSize() throws {
        var builder = FrameBuilder(machine: 3, addressSize: 4, address: 0xffff_f000)
        let cie = builder.cie(augmentation: "zR", augmentationData: [0x1b])
        let fde = builder.fde(
            cie: cie, range: builder.integer(0x2000, size: 4) + [0x10, 0, 0, 0], augmentationData: [])
        let place = 0xffff_f000 + UInt64(fde) + 8
        #expect(try builder.range(fde).lowerBound == (place + 0x2000) & 0xffff_ffff)
    }

    @Test func bigEndianAndELF32() throws {
        var builder = FrameBuilder(kind: .debugFrame, machine: 8, addressSize: 4, isBigEndian: true)
        let cie = builder.cie(version: 3, data: [0x7c], returnAddress: [31], instructions: [0x0c, 29, 0])
        let fde = builder.fde(cie: cie, instructions: [0x03, 0x00, 0x08, 0x0e, 32, 0x9f, 1])
        #expect(try builder.rows(fde) == complete(["1000: r29+0", "1008: r29+32 r31=c-4"]))
    }
}
