import ELF
import Testing

struct CompressionTests {
    let frame: [UInt8] = Array(0..<100)

    /// A section with `SHF_COMPRESSED`: a compression header, then `packed`.
    private func section(
        _ packed: [UInt8], size: UInt64, method: UInt32 = 1, is64Bit: Bool = true, bigEndian: Bool = false,
        name: String = ".debug_frame"
    ) -> ELFBuilder.Section {
        var header = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        header.word(method)
        if is64Bit { header.word(0) }
        header.address(size)
        header.address(1)
        return .init(name: name, flags: ELFBuilder.compressed, bytes: header.bytes + packed)
    }

    @Test(arguments: [true, false], [true, false])
    func debugFrameIsUnpacked(is64Bit: Bool, bigEndian: Bool) throws {
        let packed = section(zlibStored(frame), size: 100, is64Bit: is64Bit, bigEndian: bigEndian)
        let image = try image(ELFBuilder(is64Bit: is64Bit, bigEndian: bigEndian, sections: [packed]))
        #expect(try image.sections()[1].isCompressed)
        let found = try #require(try image.callFrameSection(.debugFrame))
        #expect(Array(found.bytes) == frame && !found.endsAtTerminator)
        // The second time, the result is cached.
        #expect(try image.contents(of: ".debug_frame") == frame)
    }

    @Test func zdebugFrameIsUnpacked() throws {
        let bytes = Array("ZLIB".utf8) + encoded(UInt64(100), bigEndian: true) + zlibStored(frame)
        let image = try image(ELFBuilder(sections: [.init(name: ".zdebug_frame", bytes: bytes)]))
        let found = try #require(try image.callFrameSection(.debugFrame))
        #expect(Array(found.bytes) == frame && found.name == ".zdebug_frame")
    }

    @Test(arguments: [0, 99, 101, 1 << 16, 1 << 40, 1 << 63, UInt64.max])
    func wrongUnpackedSizeIsMalformed(size: UInt64) throws {
        let new = section(zlibStored(frame), size: size)
        let old = ELFBuilder.Section(
            name: ".zdebug_frame",
            bytes: Array("ZLIB".utf8) + encoded(size, bigEndian: true) + zlibStored(frame))
        for section in [new, old] {
            let image = try image(ELFBuilder(sections: [section]))
            let error = try #require(elfError { try image.callFrameSection(.debugFrame) })
            #expect(error.isMalformed && error.section == section.name, "\(error)")
        }
    }

    @Test func corruptStreamIsMalformed() throws {
        var stream = zlibStored(frame)
        stream[20] ^= 1
        let image = try image(ELFBuilder(sections: [section(stream, size: 100)]))
        #expect(elfError { try image.callFrameSection(.debugFrame) }?.isMalformed == true)
    }

    @Test(arguments: 0..<30)
    func compressedSectionCutOffAnywhereIsMalformed(count: Int) throws {
        var new = section(zlibStored(frame), size: 100)
        new.bytes.removeSubrange(count...)
        let old = ELFBuilder.Section(
            name: ".zdebug_frame",
            bytes: Array((Array("ZLIB".utf8) + encoded(UInt64(100), bigEndian: true) + zlibStored(frame))[..<count]))
        for section in [new, old] {
            let image = try image(ELFBuilder(sections: [section]))
            #expect(elfError { try image.callFrameSection(.debugFrame) }?.isMalformed == true)
        }
    }

    @Test func unknownMethodIsUnsupportedByName() throws {
        let zstd = try image(ELFBuilder(sections: [section([1, 2, 3], size: 100, method: 2)]))
        let error = try #require(elfError { try zstd.callFrameSection(.debugFrame) })
        #expect(error.isUnsupported && error.description.contains("zstd"))
        let other = try image(ELFBuilder(sections: [section([1, 2, 3], size: 100, method: 77)]))
        #expect(elfError { try other.callFrameSection(.debugFrame) }?.isUnsupported == true)
    }

    @Test func compressedSectionOfNoBitsHasNone() throws {
        var packed = section(zlibStored(frame), size: 100)
        packed.type = 8
        #expect(try image(ELFBuilder(sections: [packed])).callFrameSection(.debugFrame) == nil)
    }
}
