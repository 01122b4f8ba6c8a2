import CLiblzma
import ELF
import Testing

struct MiniDebugInfoTests {
    private func xz(_ bytes: [UInt8]) throws -> [UInt8] {
        var packed = [UInt8](repeating: 0, count: lzma_stream_buffer_bound(bytes.count))
        var count = 0
        try #require(
            lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, nil, bytes, bytes.count, &packed, &count, packed.count)
                == LZMA_OK)
        return Array(packed[..<count])
    }

    private func carrier(_ bytes: [UInt8]) throws -> ELFImage {
        try image(ELFBuilder(sections: [.init(name: ".gnu_debugdata", bytes: bytes)]))
    }

    @Test func isUnpackedIntoAnImageOfItsOwn() throws {
        let inner = ELFBuilder(sections: [.init(name: ".debug_frame", bytes: Array(0..<50))])
        var outer: ELFImage? = try carrier(xz(inner.bytes))
        let mini = try #require(try outer?.miniDebugInfo())
        outer = nil
        #expect(mini.name == "test(.gnu_debugdata)" && mini.identity == nil)
        #expect(try Array(#require(try mini.callFrameSection(.debugFrame)).bytes) == Array(0..<50))
    }

    @Test func imageWithoutHasNone() throws {
        #expect(try image(ELFBuilder()).miniDebugInfo() == nil)
    }

    @Test func bombIsRefused() throws {
        let bomb = try xz([UInt8](repeating: 0, count: 4 << 20))
        try #require(bomb.count < 4096)
        let error = try #require(elfError { try carrier(bomb).miniDebugInfo() })
        #expect(error.isMalformed && error.section == ".gnu_debugdata" && error.file == "test")
    }

    @Test func garbageAndTruncationAreMalformed() throws {
        #expect(elfError { try carrier(Array("not xz at all".utf8)).miniDebugInfo() }?.isMalformed == true)
        #expect(elfError { try carrier([]).miniDebugInfo() }?.isMalformed == true)
        let whole = try xz(ELFBuilder().bytes)
        for count in 0..<whole.count {
            #expect(elfError { try carrier(Array(whole[..<count])).miniDebugInfo() }?.section == ".gnu_debugdata")
        }
    }

    @Test func contentsThatAreNotELFAreNamedAsTheirs() throws {
        let error = try #require(elfError { try carrier(xz(Array("text".utf8))).miniDebugInfo() })
        #expect(error.kind == .notELF && error.file == "test(.gnu_debugdata)")
    }
}
