import Files
import Inputs
import ProfileFormats

/// Tests bytes as a file with a profile: .cfic, pprof's or folded stacks. What is read must be written, and what was written
/// as .cfic be read again and be the same.
///
/// If the first byte is odd, the others are the contents of a .cfic file. Otherwise they are a file: nearly every mutated
/// .cfic file would fail at a checksum.
@_cdecl("LLVMFuzzerTestOneInput")
public func testProfile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var input = InputBytes(start, count)
    let isContents = input.next() & 1 == 1
    let bytes = Array(input.rest)
    guard let profile = try? ProfileReader.read(isContents ? CFICFile.file(bytes) : bytes, path: "input") else {
        return 0
    }
    let folded = text(of: profile)
    do {
        var file = Collected()
        try CFICFormat().write(profile, to: &file)
        let again = try ProfileReader.read(file.bytes, path: "again")
        guard text(of: again) == folded else { fatalError("it is not the same again") }
        var other = Collected()
        try CFICFormat().write(again, to: &other)
        guard other.bytes == file.bytes else { fatalError("its file is not the same again") }
        var pprof = Collected()
        try PprofFormat().write(profile, to: &pprof)
        _ = try ProfileReader.read(pprof.bytes, path: "pprof")
        var picture = Collected()
        try SVGFormat(comparedWith: again).write(profile, to: &picture)
    } catch {
        fatalError("\(error)")
    }
    for part in ProfileTotals.Part.allCases { _ = ProfileTotals(profile, by: part) }
    _ = CallTree(of: profile)
    return 0
}

private func text(of profile: NamedProfile) -> [UInt8] {
    var text = Collected()
    FoldedFormat().write(profile, to: &text)
    return text.bytes
}

private struct Collected: ByteSink {
    var bytes: [UInt8] = []
    mutating func write(_ piece: UnsafeRawBufferPointer) { bytes += piece }
}

/// A file around contents, by docs/profile-format.md and the specification of .xz (version 1.2) alone: a stream of one block that is
/// not compressed, without a checksum of the contents.
private enum CFICFile {
    static func file(_ contents: [UInt8]) -> [UInt8] {
        let flags: [UInt8] = [0, 0]
        // 2.1.1: the magic, the stream's flags.
        var file: [UInt8] = [0x89, 0x43, 0x46, 0x49, 0x43, 0x0d, 0x0a, 0x1a, 2, 0, 0, 0]
        file += [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] + flags + bytes(checksum(flags))
        // 3.1: 12 bytes; one filter, LZMA2 with a dictionary of 64 KiB; padding.
        let header: [UInt8] = [2, 0, 0x21, 1, 8, 0, 0, 0], block = lzma2(contents)
        file += padded(header + bytes(checksum(header)) + block)
        // 4: one record, the sizes of the block without padding, and of the contents.
        var index = padded([0, 1] + number(header.count + 4 + block.count) + number(contents.count))
        index += bytes(checksum(index))
        // 2.1.2
        let footer = bytes(UInt32(index.count / 4 - 1)) + flags
        return file + index + bytes(checksum(footer)) + footer + [0x59, 0x5a]
    }

    /// Chunks of up to 64 KiB, stored. The first one begins with an empty dictionary.
    private static func lzma2(_ contents: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [], rest = contents[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 << 16), size = piece.count - 1
            result += [result.isEmpty ? 1 : 2, UInt8(size >> 8), UInt8(size & 0xff)] + piece
            rest = rest.dropFirst(piece.count)
        }
        return result + [0]
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
    }

    /// 1.2
    private static func number(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f | 0x80)] + number(value >> 7)
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    /// CRC-32.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var state: UInt32 = ~0
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state & 1 == 1 ? state >> 1 ^ 0xedb8_8320 : state >> 1 }
        }
        return ~state
    }
}
