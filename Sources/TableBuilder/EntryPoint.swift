import CUnwindTable
import CallFrameInfo
import Search
import UnwindTable

/// Where the kernel starts a program, or its interpreter: code that nothing called, whatever its call frame information
/// says. No frame there has a caller.
public struct EntryPoint: Sendable {
    /// SVMA: ELF `e_entry`.
    public var address: UInt64
    /// Behind the code that is known to be the same function's, where no FDE says how far it reaches.
    public var limit: UInt64

    public init(address: UInt64, limit: UInt64) {
        self.address = address
        self.limit = limit
    }

    /// Code without information, up to the next FDE, that is taken for one function.
    private static let functionSize: UInt64 = 128

    /// From the entry point to the end of its function.
    ///
    /// - Parameters:
    ///   - function: the FDE's end, where one covers the entry point.
    ///   - next: where the next FDE begins, or the code ends.
    func addresses(function: UInt64?, next: UInt64) -> Range<UInt64> {
        if let function { return address..<max(function, address) }
        return address..<max(next &- address <= Self.functionSize ? next : min(limit, next), address)
    }

    /// The return address is undefined.
    func frame(_ addresses: Range<UInt64>, machine: TableMachine) -> StatedFrame {
        let isAArch64 = machine == .aarch64
        return StatedFrame(
            addresses, machine: machine.rawValue,
            // DW_CFA_def_cfa sp, 0; DW_CFA_undefined of the return address.
            instructions: [0x0c, isAArch64 ? 31 : 7, 0, 0x07, isAArch64 ? 30 : 16])
    }
}

extension ArchitectureBuilder {
    /// Information for the entry point, if what is there doesn't make it the outermost frame: to be put before all
    /// other. Wants the index.
    mutating func statedFrame(
        of entry: EntryPoint, _ sections: [FrameSection], executable: [Range<UInt64>]
    ) -> StatedFrame? {
        guard let code = executable.first(where: { $0.contains(entry.address) }),
            // No instruction begins in between.
            entry.address & (1 << UInt64(A.pcShift) - 1) == 0,
            let machine = TableMachine(rawValue: A.machine)
        else { return nil }
        let next = index.firstPosition(behind: entry.address)
        let span = next > 0 ? index.span(at: next - 1) : nil
        let isCovered = span.map { $0.limit > entry.address } ?? false
        if isCovered, let span {
            if chunks.isEmpty { chunks.append(ChunkHandle<A>()) }
            chunks[0].chunk.reset(index)
            if chunks[0].chunk.isOutermost(span, from: entry.address, index, sections) { return nil }
        }
        let addresses = entry.addresses(
            function: isCovered ? span?.limit : nil,
            next: min(next < index.count ? index.start(at: next) : .max, code.upperBound))
        return addresses.isEmpty ? nil : entry.frame(addresses, machine: machine)
    }
}

extension FrameIndex {
    /// Position of the first span that starts behind an address.
    fileprivate func firstPosition(behind address: UInt64) -> Int {
        (0..<count).partitioningIndex { start(at: $0) > address }
    }
}
