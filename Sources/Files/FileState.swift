/// Which files a table is made of, and which state of them: if it is the same again, so is the table.
package struct FileState: Hashable, Sendable {
    /// Of the image's own file.
    package let file: FileIdentity
    /// SHA-256 of all identities, and of what was looked for.
    package let digest: [UInt8]
    /// When the last of the files changed, in nanoseconds since 1970.
    package let lastChange: Int64

    /// - Parameters:
    ///   - debugFiles: those that may be its debug file, most wanted first.
    ///   - wantsDebugFile: whether one was looked for; it may not have been found.
    package init(file: FileIdentity, debugFiles: [FileIdentity] = [], wantsDebugFile: Bool = false) {
        self.file = file
        var hash = Digest()
        hash.add("cfic: file state")
        for identity in [file] + debugFiles {
            hash.add(identity.device)
            hash.add(identity.inode)
            hash.add(identity.size)
            hash.add(UInt64(bitPattern: identity.changeNanoseconds))
        }
        hash.add(UInt64(wantsDebugFile ? 1 : 0))
        digest = hash.finish()
        lastChange = debugFiles.reduce(file.changeNanoseconds) { max($0, $1.changeNanoseconds) }
    }

    /// SHA-256 of this state and of what was read in it.
    package func digest(withContent content: [UInt8]) -> [UInt8] {
        var hash = Digest()
        hash.add("cfic: content in a state")
        for part in [digest, content] { part.withUnsafeBytes { hash.add($0) } }
        return hash.finish()
    }
}
