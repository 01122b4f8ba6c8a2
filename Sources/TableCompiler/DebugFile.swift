import ELF
import Files

/// The separate debug file of an image, found without reading call frame information of either.
///
/// Which of the files in the right places it is may take reading them whole, for their checksums: that waits until
/// somebody asks. Not thread-safe, as the image.
public final class DebugFile {
    private let search: DebugFileSearch?
    private let owner: ELFImage
    /// Files that one of is taken, or none, until that is known.
    private var candidates: DebugFileSearch.Candidates
    /// Which files these are: as long as they are the same, so is the choice.
    let candidateIdentities: [FileIdentity]
    /// Whether all their identities are reliable: ``ELFImage/hasReliableIdentity``.
    let areReliable: Bool
    private var chosen: (image: ELFImage?, rejected: [ELFError])?

    /// Nil if the image needs none, or has none.
    public var image: ELFImage? { choose().image }
    /// Files that were in the right place, and why they are not it; .gnu_debuglink itself, if it is malformed.
    public var rejected: [ELFError] { choose().rejected }
    /// Whether debug information is looked for outside of the image's own sections, in .gnu_debugdata for one.
    public var isWanted: Bool { search != nil }

    /// Looks for the debug file of an image that has no .debug_frame itself.
    ///
    /// - Parameters:
    ///   - image: the file to find debug information for.
    ///   - search: nil looks nowhere.
    public convenience init(of image: ELFImage, search: DebugFileSearch?) {
        self.init(of: image, search, isNeeded: !image.hasDebugFrame)
    }

    private init(of image: ELFImage, _ search: DebugFileSearch?, isNeeded: Bool) {
        self.search = search
        owner = image
        let isSearched = isNeeded && image.identity != nil
        candidates = isSearched ? search?.candidates(for: image, path: image.name) ?? .init() : .init()
        candidateIdentities = candidates.images.compactMap(\.identity)
        areReliable = candidates.images.allSatisfy(\.hasReliableIdentity)
    }

    /// The same after a search, whatever the image has itself.
    func searched() -> DebugFile { DebugFile(of: owner, search, isNeeded: true) }

    /// Whether candidates were read to tell which one it is.
    package var isChosen: Bool { chosen != nil }

    /// What others can write says nothing of a file that they can't: such a debug file is rejected.
    private func choose() -> (image: ELFImage?, rejected: [ELFError]) {
        if let chosen { return chosen }
        let found = candidates.chosen()
        var result = (image: found.image, rejected: found.rejected)
        if let debugFile = found.image, debugFile.othersMayWrite, !owner.othersMayWrite {
            result.rejected.append(ELFError(file: debugFile.name, kind: .writableByOthers))
            result.image = nil
        }
        chosen = result
        candidates = .init()
        return result
    }
}
