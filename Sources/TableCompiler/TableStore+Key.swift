import ELF
import TableStore
import UnwindTable

extension TableStore {
    /// The key that the table of an image is kept under. For a file that this store has seen in this state before, its
    /// call frame sections are not read.
    public func key(of input: ImageInput) throws(ELFError) -> TableSource.Key {
        try input.sharedKey(known: contentDigest, remember: { remember($1, of: $0) })
    }
}
