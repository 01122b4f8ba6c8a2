import ELF
import TableStore
import UnwindTable

extension TableStore {
    /// The key of an image's table. Doesn't read the call frame sections of a file that this store has seen before in
    /// the same state.
    ///
    /// Throws `ELFError` if call frame sections have to be read and can't be.
    public func key(of input: ImageInput) throws(ELFError) -> TableSource.Key {
        try input.sharedKey(known: contentDigest, remember: { remember($1, of: $0) })
    }
}
