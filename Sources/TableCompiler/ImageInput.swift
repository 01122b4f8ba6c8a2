import ELF
import Files
import UnwindTable

/// What a table of an image is made of, read as far as somebody asks for it.
///
/// Not thread-safe, as the image.
public final class ImageInput {
    public let image: ELFImage
    public let debugFile: DebugFile
    private var readFrames: FrameSources?
    private var knownDigest: [UInt8]?

    /// Looks for the debug file; reads no call frame information.
    public init(_ image: ELFImage, search: DebugFileSearch?) {
        self.image = image
        debugFile = DebugFile(of: image, search: search)
    }

    /// Whether call frame sections were read.
    package var hasReadFrames: Bool { readFrames != nil }

    /// All call frame sections that speak of the image.
    public func frames() throws(ELFError) -> FrameSources {
        if let readFrames { return readFrames }
        let frames = try FrameSources(of: image, debugFile)
        readFrames = frames
        return frames
    }

    /// The key of whatever has the same content, on any machine: the build id with a digest of what the table is made
    /// of, or the digest alone. Reads all call frame information.
    public func contentKey() throws(ELFError) -> TableSource.Key { key(try contentDigest()) }

    private func contentDigest() throws(ELFError) -> [UInt8] {
        if let knownDigest { return knownDigest }
        let digest = try ContentDigest.digest(of: image, frames())
        knownDigest = digest
        return digest
    }

    /// The files that the table is made of; nil of an image in memory.
    package var state: FileState? {
        image.identity.map {
            FileState(file: $0, debugFiles: debugFile.candidateIdentities, wantsDebugFile: debugFile.isWanted)
        }
    }

    /// Whether files in the same ``state`` are the same bytes: of all file systems, the state says so of some only.
    package lazy var isStateReliable = image.hasReliableIdentity && debugFile.areReliable

    /// The key that a table is kept and shared by.
    ///
    /// That is the ``contentKey()`` of a file that nobody can change while it is read. A file that others can write may
    /// be one thing when its digest is made and another when its table is, so that its key is that of this file in this
    /// state, and its table nobody else's. docs/security.md
    ///
    /// Where the file system's word for the state isn't good enough, content is always read: nothing is remembered, and
    /// the key of a file that others can write is that of this content in this state.
    ///
    /// - Parameters:
    ///   - known: the content digest that files in a state had, if somebody remembers.
    ///   - remember: called with it if nobody did.
    package func sharedKey(
        known: (FileState) -> [UInt8]? = { _ in nil }, remember: (FileState, [UInt8]) -> Void = { _, _ in }
    ) throws(ELFError) -> TableSource.Key {
        guard let state else { return try contentKey() }
        if image.othersMayWrite {
            return key(isStateReliable ? state.digest : state.digest(withContent: try contentDigest()))
        }
        if isStateReliable, let digest = known(state) { return key(digest) }
        let digest = try contentDigest()
        // A debug file that is asked for late, where the image's own .debug_frame can't be used, isn't in the state.
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
