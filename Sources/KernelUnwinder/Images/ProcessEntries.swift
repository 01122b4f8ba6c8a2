import CLibbpf
import Glibc

/// The BPF programs' map of processes: the place of each one's `struct cfic_process`, or 0 while its mappings are not
/// known. The BPF programs change it, too.
struct ProcessEntries {
    private let map: Int32
    private let limit: Int

    /// - Parameters:
    ///   - map: its descriptor.
    ///   - limit: the largest number of entries.
    init(map: Int32, limit: Int) { (self.map, self.limit) = (map, limit) }

    /// The place of a process; nil if it has no entry.
    func place(of process: Int32) -> UInt32? {
        var (key, value) = (process, UInt32(0))
        return bpf_map_lookup_elem(map, &key, &value) == 0 ? value : nil
    }

    func set(_ process: Int32, to place: UInt32) throws(KernelError) {
        var (key, value) = (process, place)
        let status = bpf_map_update_elem(map, &key, &value, 0)
        if status == -E2BIG { throw .tooManyProcesses(limit: limit) }
        guard status == 0 else { throw .system("adding process \(process)", errno: -status) }
    }

    func remove(_ process: Int32) {
        var key = process
        bpf_map_delete_elem(map, &key)
    }

    /// All entries, and whether the list is complete: the map may change meanwhile.
    func all() -> (places: [Int32: UInt32], isWhole: Bool) {
        var places: [Int32: UInt32] = [:]
        var (key, next, value) = (Int32(0), Int32(0), UInt32(0))
        var isFirst = true
        // The kernel may restart the iteration when the map changes, so the number of iterations is limited.
        for _ in 0..<2 * limit {
            let status = isFirst ? bpf_map_get_next_key(map, nil, &next) : bpf_map_get_next_key(map, &key, &next)
            guard status == 0 else { return (places, status == -ENOENT) }
            if bpf_map_lookup_elem(map, &next, &value) == 0 { places[next] = value }
            (key, isFirst) = (next, false)
        }
        return (places, false)
    }
}
