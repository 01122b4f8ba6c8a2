import ELF
import TableCompiler
import TestFixtures
import Testing
@testable import Validation

/// What a mapped file tells of a process's memory.
@Suite struct LiveImageTests {
    private func copy(_ image: LiveImage, from address: UInt64, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return bytes.withUnsafeMutableBytes { image.copyConstant(from: address, to: $0) } ? bytes : nil
    }

    /// A file may claim to be at the end of the address space, and registers may have any value.
    @Test func nothingIsKnownBeyondTheEndOfTheAddressSpace() throws {
        let fixture = try Fixture()
        let start: UInt64 = 0xffff_ffff_ffff_0000
        let path = try fixture.library(".text\n.byte 1\n", flags: ["-Wl,--image-base=0x\(String(start, radix: 16))"])
        let image = LiveImage(
            try ELFImage(path: path), name: path, CompilingSupply(store: nil), debugFiles: nil)
        #expect(copy(image, from: start, 4) == Array("\u{7f}ELF".utf8))
        #expect(copy(image, from: start - 4, 8) == nil)
        #expect(copy(image, from: .max - 3, 8) == nil)
    }
}
