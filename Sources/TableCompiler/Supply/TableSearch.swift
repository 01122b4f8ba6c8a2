import ELF
import TableStore
import TableSupply
import UnwindTable

/// An image's key, and its table if the store has a current one that can be proved.
///
/// @unchecked: made by one thread, and then used by another one.
package final class TableSearch: @unchecked Sendable {
    package let input: ImageInput
    /// Or why the image gets no table.
    package let key: Result<TableSource.Key, any Error>
    /// The store's table; nil if there is no store, or no current table in it that can be proved.
    package let stored: ProvedTable?

    /// - Parameters:
    ///   - store: where tables are; nil for nowhere.
    ///   - options: what tables are to contain.
    ///   - takesTablesWithoutInference: whether a stored table may lack what only instructions prove.
    package init(
        _ input: ImageInput, in store: TableStore?, options: TableOptions, takesTablesWithoutInference: Bool = false
    ) {
        self.input = input
        do {
            let key = try store?.key(of: input) ?? input.sharedKey()
            // A table that can't be proved is as good as absent: it is made again. The proof includes the checksums.
            if let stored = try? store?.usable(
                key: key, options: options, takesTablesWithoutInference: takesTablesWithoutInference),
                let view = try? TableVerifier.verify(stored.bytes)
            {
                (self.key, self.stored) = (.success(key), ProvedTable(view, in: stored))
                return
            }
            // Only now: an image whose table exists is eligible.
            try ImageCompiler.checkEligible(input.image)
            self.key = .success(key)
        } catch {
            key = .failure(error)
        }
        stored = nil
    }

    /// Compiles and proves the table that the store doesn't have.
    ///
    /// - Returns: the table, valid until the compiler's next use.
    /// - Throws: `CompileError`, `ELFError`, ``UnprovedTable``.
    package func make(by compiler: ImageCompiler) throws -> ProvedTable {
        let bytes = try compiler.compile(input, key: key.get()).table
        do throws(TableDefect) {
            return ProvedTable(try TableVerifier.verify(bytes), in: compiler)
        } catch {
            throw UnprovedTable(name: input.image.name, defect: error)
        }
    }
}

/// The verifier refuses a table that the compiler just made: one of them is wrong.
public struct UnprovedTable: Error, CustomStringConvertible {
    /// The image's name.
    public let name: String
    /// What the proof found.
    public let defect: TableDefect

    public var description: String {
        "\(name): the table compiled from it does not verify (\(defect)); please report this"
    }
}
