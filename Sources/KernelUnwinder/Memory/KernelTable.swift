import CUnwindTable
import UnwindTable

/// A table in the kernel's memory, shared by all processes that map an image with its key.
final class KernelTable {
    let key: TableSource.Key
    let fileBytes: Int
    let placed: PlacedTable
    /// Images, and who asked to keep it.
    var users = 0

    init(key: TableSource.Key, fileBytes: Int, placed: PlacedTable) {
        self.key = key
        self.fileBytes = fileBytes
        self.placed = placed
    }

    /// Retires it: from now on no BPF program finds it, but some may still be reading it.
    func retire(_ memory: ElementMemory) {
        for range in placed.ranges {
            let loaded = memory.pointer(range.place).assumingMemoryBound(to: cfic_loaded_range.self)
            loaded.pointee.page_count = 0
        }
        memory.retire(placed.spans)
    }
}
