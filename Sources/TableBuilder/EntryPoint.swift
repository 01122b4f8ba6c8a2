import CUnwindTable
import CallFrameInfo
import Search
import UnwindTable

/// Where the kernel starts an executable or its dynamic linker. Nothing called this code, so its frame has no caller,
/// even if its call frame information has a rule for one.
public struct EntryPoint: Sendable {
    /// SVMA: ELF `e_entry`.
    public var address: UInt64
    /// End of the code (exclusive) that is known to belong to the same function, for use if no FDE covers it.
    public var limit: UInt64

    public init(address: UInt64, limit: UInt64) {
        self.address = address
        self.limit = limit
    }

    /// Code without information up to the next FDE is taken for one function if it is at most this many bytes.
    private static let functionSize: UInt64 = 128

    /// The addresses from the entry point to the end of its function.
    ///
    /// - Parameters:
    ///   - function: the end of the FDE that covers the entry point, if there is one.
    ///   - next: the start of the next FDE, or the end of the code.
    func addresses(function: UInt64?, next: UInt64) -> Range<UInt64> {
        if let function { return address..<max(function, address) }
        return address..<max(next &- address <= Self.functionSize ? next : min(limit, next), address)
    }

    /// Call frame information that makes `addresses` outermost: its return address is undefined.
    func frame(_ addresses: Range<UInt64>, machine: TableMachine) -> StatedFrame {
        let isAArch64 = machine == .aarch64
        return StatedFrame(
            addresses, machine: machine.rawValue,
            // DW_CFA_def_cfa sp, 0; DW_CFA_undefined of the return address.
            instructions: [0x0c, isAArch64 ? 31 : 7, 0, 0x07, isAArch64 ? 30 : 16])
    }
}

extension ArchitectureBuilder {
    /// Call frame information for the entry point, to precede all sections; nil if the existing FDE already makes it
    /// the outermost frame. The index must have been read, without overlaps.
    mutating func statedFrame(
        of entry: EntryPoint, _ sections: [FrameSection], executable: [Range<UInt64>]
    ) -> StatedFrame? {
        guard let code = executable.first(where: { $0.contains(entry.address) }),
            // No instruction starts at a misaligned address.
            entry.address & (1 << UInt64(A.pcShift) - 1) == 0,
            let machine = TableMachine(rawValue: A.machine)
        else { return nil }
        let next = index.firstPosition(behind: entry.address)
        let span = next > 0 ? index.span(at: next - 1) : nil
        let isCovered = span.map { $0.limit > entry.address } ?? false
        if isCovered, let span {
            if chunks.isEmpty { chunks.append(ChunkHandle<A>()) }
            chunks[0].chunk.reset(index, sources)
            if chunks[0].chunk.isOutermost(span, from: entry.address, index, sections) { return nil }
        }
        let addresses = entry.addresses(
            function: isCovered ? span?.limit : nil,
            next: min(next < index.count ? index.start(at: next) : .max, code.upperBound))
        return addresses.isEmpty ? nil : entry.frame(addresses, machine: machine)
    }
}

extension FrameIndex {
    /// Index of the first span that starts above an address.
    fileprivate func firstPosition(behind address: UInt64) -> Int {
        (0..<count).partitioningIndex { start(at: $0) > address }
    }
}
