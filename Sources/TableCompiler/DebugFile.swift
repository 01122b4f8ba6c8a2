import ELF
import Files

/// The separate debug file of an image.
///
/// Several files may be candidates. Choosing one may require reading them completely, for their checksums, so that is
/// done on first use of ``image`` or ``rejected``. Not thread-safe, like the image.
package final class DebugFile {
    private let search: DebugFileSearch?
    private let owner: ELFImage
    /// The candidates; empty once one was chosen.
    private var candidates: DebugFileSearch.Candidates
    /// The candidates' identities. As long as these are the same, the choice is, too.
    let candidateIdentities: [FileIdentity]
    /// Whether all their identities are reliable: ``ELFImage/hasReliableIdentity``.
    let areReliable: Bool
    private var chosen: (image: ELFImage?, rejected: [ELFError])?

    /// The chosen debug file; nil if the image needs none or none was found.
    package var image: ELFImage? { choose().image }
    /// Why candidates were rejected, and the error in .gnu_debuglink, if it is malformed.
    package var rejected: [ELFError] { choose().rejected }
    /// Whether debug information outside the image's own sections may be used, including .gnu_debugdata.
    package var isWanted: Bool { search != nil }

    /// Looks for an image's debug file, unless the image has a .debug_frame itself.
    ///
    /// - Parameters:
    ///   - image: the file to find debug information for.
    ///   - search: where to look; nil for nowhere.
    package convenience init(of image: ELFImage, search: DebugFileSearch?) {
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

    /// The debug file found by a search even if the image has a .debug_frame itself.
    package func searched() -> DebugFile { DebugFile(of: owner, search, isNeeded: true) }

    /// Whether a candidate was chosen, and candidates therefore read.
    package var isChosen: Bool { chosen != nil }

    /// Chooses a candidate. A debug file that others can write is rejected if they can't write the image itself,
    /// because they could thereby change the image's table.
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
