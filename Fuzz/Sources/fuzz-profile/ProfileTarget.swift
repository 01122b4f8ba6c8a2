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

/// A file around contents, by docs/profile-format.md alone.
private enum CFICFile {
    /// Chunks are smaller than 2^16, as blocks of DEFLATE that are not compressed.
    static func file(_ contents: [UInt8]) -> [UInt8] {
        let header: [UInt8] = [0x89, 0x43, 0x46, 0x49, 0x43, 0x0d, 0x0a, 0x1a, 1, 0, 0, 0]
        var file = header, checksum = CRC()
        checksum.add(header)
        var rest = contents[...]
        repeat {
            let piece = rest.prefix(0xffff), size = UInt32(piece.count)
            rest = rest.dropFirst(piece.count)
            let stored = piece.isEmpty ? [] : [1] + bytes(size | ~size << 16) + piece
            let chunk = bytes(UInt32(stored.count)) + bytes(size) + stored
            checksum.add(chunk)
            file += chunk + bytes(checksum.value)
            if piece.isEmpty { return file }
        } while true
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private struct CRC {
        private var state: UInt32 = ~0
        var value: UInt32 { ~state }

        mutating func add(_ bytes: [UInt8]) {
            for byte in bytes {
                state ^= UInt32(byte)
                for _ in 0..<8 { state = state & 1 == 1 ? state >> 1 ^ 0xedb8_8320 : state >> 1 }
            }
        }
    }
}
