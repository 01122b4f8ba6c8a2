import ELF
import Foundation
import TestFixtures
import Testing
import UnwindTable
import Validation

/// C code compiled by clang for aarch64 with signed return addresses.
@Suite struct PointerAuthenticationTests {
    private static let source = """
        __attribute__((noinline)) static int leaf(int n) { __asm__ volatile("" : "+r"(n)); return n * 3; }
        __attribute__((noinline)) int calls(int n) { return leaf(n) + leaf(n + 1); }
        __attribute__((noinline)) int array(int n) {
            volatile int a[64];
            for (int i = 0; i < 64; i++) a[i] = leaf(i);
            return a[n];
        }
        __attribute__((noinline)) int dynamic(int n) { volatile char a[n]; a[0] = leaf(n); return a[0] + leaf(2); }
        """

    private func library(_ protection: String, _ flags: String...) throws -> (Fixture, String) {
        let fixture = try Fixture()
        let source = try fixture.write(Array((Self.source + "\n").utf8), to: "signed.c")
        let path = fixture.directory + "/signed.so"
        let process = [
            "clang", "--target=aarch64-linux-gnu", "-O2", "-fomit-frame-pointer", "-shared", "-nostdlib",
            "-fuse-ld=lld", "-fno-builtin", "-mbranch-protection=\(protection)", "-o", path, source,
        ]
        try run(words: process + flags)
        return (fixture, path)
    }

    @Test(arguments: ["standard", "pac-ret+leaf", "pac-ret+leaf+b-key", "none"])
    func signedFunctionsMeanWhatTheReferenceSays(protection: String) throws {
        let (fixture, path) = try library(protection)
        defer { withExtendedLifetime(fixture) {} }
        let validation = try validated(path, isExhaustive: true).validation
        #expect(validation.disagreementCount == 0, "\(validation.disagreements.prefix(2))")
        #expect(validation.unsaidByTable == [:])
    }

    /// libdw doesn't support signing, so the expected state is derived from the instructions: pacia(sp)/pacib(sp) and
    /// their counterparts (DWARF for the Arm 64-bit Architecture, §4.4).
    @Test(arguments: ["standard", "pac-ret+leaf", "pac-ret+leaf+b-key", "none"])
    func returnAddressesAreSignedBetweenSigningAndAuthenticating(protection: String) throws {
        let (fixture, path) = try library(protection)
        defer { withExtendedLifetime(fixture) {} }
        let table = try CompiledImage(path)
        let image = try ELFImage(path: path)
        let text = try #require(try image.sections().first { $0.name == ".text" })
        let bytes = try image.bytes(of: text)
        func isSigned(_ offset: Int) -> Bool {
            table.view.rule(at: text.address + UInt64(offset)).isReturnAddressSigned
        }
        var signings = 0
        for offset in stride(from: 0, to: bytes.count, by: 4) {
            switch bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) {
            case 0xd503_233f, 0xd503_237f:  // paciasp, pacibsp
                #expect(!isSigned(offset) && isSigned(offset + 4), "\(protection) +0x\(String(offset, radix: 16))")
                signings += 1
            case 0xd503_23bf, 0xd503_23ff:  // autiasp, autibsp
                #expect(isSigned(offset) && !isSigned(offset + 4), "\(protection) +0x\(String(offset, radix: 16))")
            default: break
            }
        }
        #expect(protection == "none" ? signings == 0 : signings >= 3)
        #expect((signings > 0) == (0..<bytes.count / 4).contains { isSigned(4 * $0) })
    }
}
