import ELF

/// The separate debug file of an image, found without reading call frame information of either.
public struct DebugFile {
    /// Nil if the image needs none, or has none.
    public private(set) var image: ELFImage?
    /// Files that were in the right place, and why they are not it; .gnu_debuglink itself, if it is malformed.
    public private(set) var rejected: [ELFError] = []
    private var search: DebugFileSearch?

    /// Whether debug information is looked for outside of the image's own sections, in .gnu_debugdata for one.
    public var isWanted: Bool { search != nil }

    /// Looks for the debug file of an image that has no .debug_frame itself.
    ///
    /// - Parameter search: nil looks nowhere.
    public init(of image: ELFImage, search: DebugFileSearch?) {
        self.search = search
        if !image.hasDebugFrame { self = searched(for: image) }
    }

    /// The same after a search, whatever the image has itself.
    ///
    /// What others can write says nothing of a file that they can't: such a debug file is rejected.
    func searched(for image: ELFImage) -> DebugFile {
        guard let search, image.identity != nil else { return self }
        var copy = self
        let found = search.find(for: image, path: image.name)
        copy.rejected = found.rejected
        guard let debugFile = found.image else { return copy }
        if debugFile.othersMayWrite, !image.othersMayWrite {
            copy.rejected.append(ELFError(file: debugFile.name, kind: .writableByOthers))
        } else {
            copy.image = debugFile
        }
        return copy
    }
}
