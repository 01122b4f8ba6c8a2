import ELF
import TableCompiler
import TableStore
import UnwindTable

/// An image, its key, and its table if the store has it: what can be found out of one image without regard to others.
///
/// @unchecked: made by one thread, and then used by another one.
final class PreparedImage: @unchecked Sendable {
    let image: ELFImage
    let input: ImageInput
    /// Or why it gets no table.
    let key: Result<TableSource.Key, any Error>
    /// Of the store's table, proved; valid as long as this lives.
    let storedView: TableView?
    private let stored: StoredTable?

    init(_ image: ELFImage, _ store: TableStore?, _ options: TableOptions, _ debugFiles: DebugFileSearch?) {
        self.image = image
        input = ImageInput(image, search: debugFiles)
        do {
            let key = try store?.key(of: input) ?? input.sharedKey()
            // What can't be proved is as good as absent: it is made again.
            if let stored = try? store?.currentUnchecked(key: key, options: options),
                let view = try? TableVerifier.verify(stored.bytes)
            {
                (self.key, storedView, self.stored) = (.success(key), view, stored)
                return
            }
            // Only now: what has a table may have one.
            try ImageCompiler(debugFiles: nil).checkEligible(image)
            self.key = .success(key)
        } catch {
            key = .failure(error)
        }
        (storedView, stored) = (nil, nil)
    }
}
