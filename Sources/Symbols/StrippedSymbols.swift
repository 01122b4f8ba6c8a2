import ELF
import TableCompiler

/// Where the `.symtab` is that an image was stripped of: in its separate debug file, else in `.gnu_debugdata`, which has
/// only functions.
struct StrippedSymbols {
    /// Nil if the image has a `.symtab` itself, or if there is none.
    private(set) var image: ELFImage?
    /// Why files at searched paths were not used.
    private(set) var problems: [ELFError] = []

    /// - Parameter search: nil for nowhere.
    init(of owner: ELFImage, _ search: DebugFileSearch?) {
        guard let search, !owner.hasSymbolTable else { return }
        let file = DebugFile(of: owner, search: search).searched()
        problems = file.rejected
        if let found = file.image, found.hasSymbolTable {
            image = found
            return
        }
        do throws(ELFError) { image = try owner.miniDebugInfo() } catch { problems.append(error) }
    }
}
