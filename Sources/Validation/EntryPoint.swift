import TableBuilder
import UnwindTable

extension EntryPoint {
    /// Whether an address is in the entry point's function, which a table makes the outermost frame throughout.
    func isFunction(at address: UInt64, of table: TableView) -> Bool {
        // No such function is longer than 4 KiB.
        guard address >= self.address, address - self.address < 4096 else { return false }
        return (self.address...address).allSatisfy { table.rule(at: $0).isEndOfStack }
    }
}
