import CLiblzma
import Glibc

extension ELFImage {
    /// `.gnu_debugdata`: an ELF image with the function symbols and the `.debug_frame` that stripping removed,
    /// compressed with xz (GDB manual, "Debugging information in a special section"); nil if there is none. Every call
    /// unpacks it.
    ///
    /// The new image doesn't depend on this one; its name is this one's, followed by `(.gnu_debugdata)`. Throws
    /// ``ELFError`` if the section can't be unpacked, or unpacks to more than 1 MiB plus 64 times its size. Symbol
    /// tables shrink 3 to 10 times, a bomb's bytes thousands of times.
    public func miniDebugInfo() throws(ELFError) -> ELFImage? {
        guard let section = try section(named: ".gnu_debugdata"), !section.hasNoBits else { return nil }
        let packed = try bytes(of: section)
        let limit = Budget.unpackedLimit(packed: UInt64(packed.count))
        switch unpackXZ(packed, limit: Int(clamping: limit)) {
        case .success(let memory):
            return try ELFImage(source: .memory(memory), name: "\(name)(.gnu_debugdata)")
        case .failure(let problem):
            throw ELFError(file: name, section: section.name, offset: problem.offset, kind: problem.kind)
        }
    }
}

private struct XZProblem: Error {
    /// Bytes of input read before the problem.
    let offset: UInt64
    let kind: ELFError.Kind
}

/// Bytes that the decoder itself may allocate. `xz -9` asks for 65 MiB, and touches only as much as it unpacks.
private let decoderMemory: UInt64 = 80 << 20

/// Unpacks one .xz stream to at most `limit` bytes.
private func unpackXZ(_ packed: UnsafeRawBufferPointer, limit: Int) -> Result<OwnedMemory, XZProblem> {
    var stream = lzma_stream()
    guard lzma_stream_decoder(&stream, decoderMemory, 0) == LZMA_OK else {
        return .failure(XZProblem(offset: 0, kind: .cannotRead(errno: ENOMEM)))
    }
    defer { lzma_end(&stream) }
    stream.next_in = packed.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_in = packed.count

    // Grows with the output, so that input that stops early costs little memory.
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(1 << 20, max(1 << 14, packed.count)))
    while true {
        let (code, count) = chunk.withUnsafeMutableBufferPointer { buffer in
            stream.next_out = buffer.baseAddress
            stream.avail_out = buffer.count
            return (lzma_code(&stream, LZMA_FINISH), buffer.count - stream.avail_out)
        }
        guard count <= limit - output.count else {
            return failure(.malformed("\(packed.count) packed bytes unpack to more than \(limit)"))
        }
        output.append(contentsOf: chunk[..<count])
        switch code {
        case LZMA_OK: continue
        case LZMA_STREAM_END: return .success(output.withUnsafeBytes { OwnedMemory(copying: $0) })
        case LZMA_FORMAT_ERROR: return failure(.malformed("not xz"))
        case LZMA_OPTIONS_ERROR: return failure(.unsupported("xz data with options that this liblzma doesn't support"))
        case LZMA_MEMLIMIT_ERROR:
            return failure(.unsupported("xz data that needs more than \(decoderMemory >> 20) MiB to unpack"))
        case LZMA_MEM_ERROR: return failure(.cannotRead(errno: ENOMEM))
        case LZMA_BUF_ERROR: return failure(.malformed("xz: cut off"))
        default: return failure(.malformed("xz: the packed bytes are corrupt"))
        }
    }

    func failure(_ kind: ELFError.Kind) -> Result<OwnedMemory, XZProblem> {
        .failure(XZProblem(offset: stream.total_in, kind: kind))
    }
}
