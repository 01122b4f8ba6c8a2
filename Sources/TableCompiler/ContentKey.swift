import CNettle
import ELF
import UnwindTable

/// The key of files without a build id: SHA-256 over ELF header, program headers and the file's own call frame
/// sections, each preceded by its length as 8 bytes little-endian.
enum ContentKey {
    static func key(of image: ELFImage) throws(ELFError) -> [UInt8] {
        var context = sha256_ctx()
        nettle_sha256_init(&context)
        image.headerBytes.withUnsafeBytes { update(&context, $0) }
        image.programHeaderBytes.withUnsafeBytes { update(&context, $0) }
        // A .debug_frame that can't be read is in no table, and not in its key.
        let debugFrames = (try? image.callFrameSections(.debugFrame)) ?? []
        for section in try image.callFrameSections(.ehFrame) + debugFrames { update(&context, section.bytes) }
        try image.checkIsWhole()
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
        nettle_sha256_digest(&context, digest.count, &digest)
        return digest
    }

    private static func update(_ context: inout sha256_ctx, _ bytes: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { length in
            nettle_sha256_update(&context, length.count, length.bindMemory(to: UInt8.self).baseAddress)
        }
        nettle_sha256_update(&context, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress)
    }
}

extension ELFImage {
    /// The key that a table of this image is found by: its build id, else a hash of its content.
    ///
    /// The hash needs the call frame sections; a build id only the program headers and the note.
    public func tableKey() throws(ELFError) -> TableSource.Key {
        if let buildID = tableBuildID() { return .buildID(buildID) }
        return .content(try ContentKey.key(of: self))
    }

    /// The build id, unless it is one that a table can't hold: empty, or longer than 64 bytes. Nil too if none is found
    /// in notes that are malformed: these are no reason to do without a table.
    public func tableBuildID() -> [UInt8]? {
        guard let buildID = try? buildID(), (1...64).contains(buildID.count) else { return nil }
        return buildID
    }
}
