import CUnwindTable
import UnwindTable

/// A table in kernel memory, shared by all images with its key.
final class KernelTable {
    let key: TableSource.Key
    let fileBytes: Int
    let placed: PlacedTable
    /// The number of images that use it, plus one if the user added it.
    var users = 0

    init(key: TableSource.Key, fileBytes: Int, placed: PlacedTable) {
        self.key = key
        self.fileBytes = fileBytes
        self.placed = placed
    }

    /// Retires the table: lookups find no pages any more, but BPF programs that are running may still be reading it.
    func retire(_ memory: ElementMemory) {
        for range in placed.ranges {
            let loaded = memory.pointer(range.place).assumingMemoryBound(to: cfic_loaded_range.self)
            loaded.pointee.page_count = 0
        }
        memory.retire(placed.spans)
    }
}
