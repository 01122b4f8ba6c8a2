import CZydis
import CallFrameInfo

/// The instructions of one function, each decoded when it is first reached.
struct DecodedCode: ~Copyable {
    /// By offset of a function's byte: number of the instruction that starts there, plus 1; 0 if it isn't decoded yet.
    private var numbers = GrowableBuffer<UInt32>()
    private var instructions = GrowableBuffer<Instruction>()

    var count: Int { instructions.count }

    mutating func reset() {
        numbers.removeAll()
        instructions.removeAll()
    }

    mutating func extend(to size: Int) {
        let known = numbers.count
        numbers.reserveCapacity(size)
        numbers.setCount(size)
        numbers.elements[known...].update(repeating: 0)
    }

    /// The instruction at an offset within a part.
    mutating func instruction(at offset: Int, in part: FunctionParts.Part) -> Instruction {
        let number = numbers.elements[offset]
        if number != 0 { return instructions.elements[Int(number) - 1] }
        let position = offset - part.base
        var instruction = Instruction()
        let bytes = part.bytes.baseAddress.unsafelyUnwrapped + position
        cfic_x86_decode(
            bytes.assumingMemoryBound(to: UInt8.self), min(part.bytes.count - position, 15), &instruction)
        instructions.append(instruction)
        numbers.elements[offset] = UInt32(instructions.count)
        return instruction
    }
}

/// Opens the decoder. Analyses may be made only if this returned.
public func openDecoder() throws(DecoderProblem) {
    if let problem = cfic_x86_open() { throw DecoderProblem(description: String(cString: problem)) }
}

/// Why instructions can't be decoded: libZydis is missing.
public struct DecoderProblem: Error, CustomStringConvertible, Equatable {
    public var description: String
}

/// An instruction's text in Intel's syntax, as if it were at an address, and its length in bytes. `openDecoder` must have
/// returned before. `bytes` must not be empty.
public func instructionText(_ bytes: UnsafeRawBufferPointer, at address: UInt64) -> (text: String, length: Int) {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
    defer { text.deallocate() }
    let length = cfic_x86_text(
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), min(bytes.count, 15), address, text, 256)
    return (String(cString: text), length)
}
