import ELF
import Files
import UnwindTable

/// The input of an image's table, read on first use.
///
/// Not thread-safe, like the image.
public final class ImageInput {
    package let image: ELFImage
    package let debugFile: DebugFile
    private var readFrames: FrameSources?
    private var knownDigest: [UInt8]?

    /// Looks for the debug file. Doesn't read call frame information.
    public init(_ image: ELFImage, search: DebugFileSearch?) {
        self.image = image
        debugFile = DebugFile(of: image, search: search)
    }

    /// Whether call frame sections were read.
    package var hasReadFrames: Bool { readFrames != nil }

    /// All call frame sections for the image.
    package func frames() throws(ELFError) -> FrameSources {
        if let readFrames { return readFrames }
        let frames = try FrameSources(of: image, debugFile)
        readFrames = frames
        return frames
    }

    /// The key by content, equal for equal files on any machine: the build id with a digest of the table's input, or
    /// only the digest. Reads all call frame information.
    public func contentKey() throws(ELFError) -> TableSource.Key { key(try contentDigest()) }

    private func contentDigest() throws(ELFError) -> [UInt8] {
        if let knownDigest { return knownDigest }
        let digest = try ContentDigest.digest(of: image, frames())
        knownDigest = digest
        return digest
    }

    /// The files that the table is made from; nil for an image in memory.
    package var state: FileState? {
        image.identity.map {
            FileState(file: $0, debugFiles: debugFile.candidateIdentities, wantsDebugFile: debugFile.isWanted)
        }
    }

    /// Whether files in the same ``state`` have the same bytes. Only some file systems guarantee it.
    package lazy var isStateReliable = image.hasReliableIdentity && debugFile.areReliable

    /// The key under which a table is stored and shared.
    ///
    /// For most files this is the ``contentKey()``. A file that others can write may change between computing its
    /// digest and compiling its table. Its key is therefore the identity and state of this file, so that no other file
    /// gets its table (docs/security.md).
    ///
    /// If the state isn't reliable, the content is always read: no digest is remembered, and the key of a file that
    /// others can write includes its content.
    ///
    /// - Parameters:
    ///   - known: returns the content digest that was remembered for a state, if any.
    ///   - remember: called with a state and its digest if it wasn't known.
    package func sharedKey(
        known: (FileState) -> [UInt8]? = { _ in nil }, remember: (FileState, [UInt8]) -> Void = { _, _ in }
    ) throws(ELFError) -> TableSource.Key {
        guard let state else { return try contentKey() }
        if image.othersMayWrite {
            return key(isStateReliable ? state.digest : state.digest(withContent: try contentDigest()))
        }
        if isStateReliable, let digest = known(state) { return key(digest) }
        let digest = try contentDigest()
        // If the image's own .debug_frame couldn't be used, a debug file was looked for that `state` doesn't include.
        let isOwn = try frames().debugSource == .sameFile
        let isLate = image.hasDebugFrame && !isOwn
        if isStateReliable, !isLate { remember(state, digest) }
        return key(digest)
    }

    private func key(_ digest: [UInt8]) -> TableSource.Key {
        guard let buildID = image.tableBuildID() else { return .content(digest) }
        return .buildID(buildID, digest: Array(digest.prefix(16)))
    }
}
