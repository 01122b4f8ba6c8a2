import KernelUnwinder
import TableCompiler

extension KernelUnwinder {
    /// Compiles all tables and stores none.
    convenience init(_ options: Options = Options()) throws(KernelError) {
        try self.init(tables: CompilingSupply(store: nil), options)
    }
}
