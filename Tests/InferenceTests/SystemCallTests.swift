import Inference
import Testing

/// System calls after which the stack isn't what it was. Bytes are instructions of x86-64.
@Suite struct SystemCallTests {
    private static let systemCall: [UInt8] = [0x0f, 0x05]

    /// mov eax, number
    private static func number(_ number: UInt32) -> [UInt8] {
        [0xb8] + withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    @Test func othersReturnWithTheStackAsItWas() throws {
        // mov eax, 39 (getpid); syscall; ret
        let rows = try Functions(Self.number(39) + Self.systemCall + [0xc3]).rows()
        #expect(rows == ["0: CFA rsp+8, rbp unchanged", "8: none"])
    }

    @Test(arguments: [60, 231] as [UInt32])
    func exitDoesNotReturn(number: UInt32) throws {
        // push rbx; mov eax, number; syscall; then bytes that are no instruction
        let bytes = [0x53] + Self.number(number) + Self.systemCall
        let rows = try Functions(bytes + [0x06]).rows()
        #expect(rows == ["0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "8: none"])
        #expect(try Functions([0x53] + Self.number(61) + Self.systemCall + [0x06]).failure() == .undecodable)
    }

    @Test func handlersReturnHasNoRules() throws {
        #expect(try Functions(Self.number(15) + Self.systemCall).failure() == .signalReturn)
        // mov rax, 15; syscall; ret
        let bytes: [UInt8] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0] + Self.systemCall + [0xc3]
        #expect(try Functions(bytes).failure() == .signalReturn)
    }

    @Test(arguments: [number(56), number(435), [0x31, 0xc0, 0xb0, 56]])
    func newStackHasNoRules(number: [UInt8]) throws {
        // test eax,eax; jne +2; pop rdi; ud2; ret
        let bytes = number + Self.systemCall + [0x85, 0xc0, 0x75, 0x03, 0x5f, 0x0f, 0x0b, 0xc3]
        #expect(try Functions(bytes).failure() == .newStack)
    }

    /// mov ah, 56 isn't the low byte.
    @Test func highByteIsNoNumber() throws {
        let bytes: [UInt8] = [0x31, 0xc0, 0xb4, 56] + Self.systemCall + [0xc3]
        #expect(try Functions(bytes).failure() == nil)
    }
}
