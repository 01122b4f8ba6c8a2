import ELF

/// Which files a table is made of, and which state of them: if it is the same again, so is the table.
public struct FileState: Hashable, Sendable {
    /// Of the image's own file.
    public let file: FileIdentity
    /// SHA-256 of all identities, and of what was looked for.
    public let digest: [UInt8]
    /// When the last of the files changed, in nanoseconds since 1970.
    public let lastChange: Int64

    /// - Parameter wantsDebugFile: whether one was looked for; it may not have been found.
    public init(file: FileIdentity, debugFile: FileIdentity? = nil, wantsDebugFile: Bool = false) {
        self.file = file
        var hash = Digest()
        hash.add("cfic: file state")
        for identity in [file] + (debugFile.map { [$0] } ?? []) {
            hash.add(identity.device)
            hash.add(identity.inode)
            hash.add(identity.size)
            hash.add(UInt64(bitPattern: identity.changeNanoseconds))
        }
        hash.add(UInt64(wantsDebugFile ? 1 : 0))
        digest = hash.finish()
        lastChange = max(file.changeNanoseconds, debugFile?.changeNanoseconds ?? .min)
    }
}
