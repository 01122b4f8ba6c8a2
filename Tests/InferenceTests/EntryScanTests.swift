import Inference
import Testing

/// Which extents begin with an entry.
@Suite struct EntryScanTests {
    private func functions(_ first: [UInt8], data: [UInt64] = []) -> Functions {
        var functions = Functions(first, [0x90, 0xc3], [0x90, 0xc3])
        functions.findsEntries = true
        if !data.isEmpty {
            functions.data = [
                (0x8000, data.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } })
            ]
        }
        return functions
    }

    @Test func nothingRefersToThem() throws {
        #expect(try functions([0xc3]).entries() == [])
        // jmp +0xffb
        #expect(try functions([0xe9, 0xfb, 0x0f, 0, 0]).entries() == [])
    }

    @Test func callsAndAddressesInCode() throws {
        // call +0xffb; lea rax,[rip+0x1ff4]
        #expect(try functions([0xe8, 0xfb, 0x0f, 0, 0, 0x48, 0x8d, 0x05, 0xf4, 0x1f, 0, 0]).entries() == [1, 2])
        // mov eax,0x2000
        #expect(try functions([0xb8, 0x00, 0x20, 0, 0]).entries() == [1])
    }

    @Test func wordsInData() throws {
        #expect(try functions([0xc3], data: [5, 0x1000, 7, 0x3000, 0x2000]).entries() == [0, 1, 2])
        // Not the start of one.
        #expect(try functions([0xc3], data: [0x2001]).entries() == [])
    }

    @Test func jumpTablesPointToParts() throws {
        #expect(try functions([0xc3], data: [0x1000, 1, 0x3000, 0x2001, 0x2000]).entries() == [0])
    }
}
