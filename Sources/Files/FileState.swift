/// The files that a table is made from, in one state: in the same state they give the same table.
package struct FileState: Hashable, Sendable {
    /// The identity of the image's own file.
    package let file: FileIdentity
    /// SHA-256 of all identities, and of whether a debug file was searched for.
    package let digest: [UInt8]
    /// The last change of any of the files, in nanoseconds since 1970.
    package let lastChange: Int64

    /// - Parameters:
    ///   - file: the image's own file.
    ///   - debugFiles: files that may be its debug file, in order of preference.
    ///   - wantsDebugFile: whether a debug file was searched for, found or not.
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

    /// SHA-256 of this state and of the content read in it.
    package func digest(withContent content: [UInt8]) -> [UInt8] {
        var hash = Digest()
        hash.add("cfic: content in a state")
        for part in [digest, content] { part.withUnsafeBytes { hash.add($0) } }
        return hash.finish()
    }
}
