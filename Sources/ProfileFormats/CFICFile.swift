import Files
import Synchronization
import Threads

/// What is around the contents of .cfic files: docs/profile-format.md, "File".
enum CFICFile {
    /// No text has these bytes, and what converts line ends changes them.
    static let magic: [UInt8] = [0x89, 0x43, 0x46, 0x49, 0x43, 0x0d, 0x0a, 0x1a]
    static let version: UInt32 = 2
    /// The magic and the version.
    static let headerSize = 12

    static var header: [UInt8] { magic + (0..<4).map { UInt8(truncatingIfNeeded: version >> ($0 * 8)) } }

    /// The most contents of a file, so that readers need no memory out of proportion to it.
    static func contentsLimit(fileSize: Int) -> Int { 1 << 20 + 64 * fileSize }

    /// A file with these contents, each compressed on its own, at the same time.
    ///
    /// - Throws: ``XZ/OutOfMemory``
    static func file(_ contents: [(bytes: [UInt8], effort: XZ.Effort)]) throws(XZ.OutOfMemory) -> [UInt8] {
        let streams = Mutex<[[UInt8]?]>(Array(repeating: nil, count: contents.count))
        Threads.perform(contents.count, threads: Threads.processorCount) { index in
            let stream = try? XZ.compressed(contents[index].bytes, contents[index].effort)
            streams.withLock { $0[index] = stream }
        }
        var file = header, count = 0
        for (stream, content) in zip(streams.withLock { $0 }, contents) {
            guard let stream else { throw XZ.OutOfMemory() }
            file += stream
            count += content.bytes.count
        }
        // .xz streams may be followed by zeros, in fours.
        while contentsLimit(fileSize: file.count) < count { file += [0, 0, 0, 0] }
        return file
    }
}
