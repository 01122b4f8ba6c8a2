import CLibdw
import UnwindTable

/// The frames of an ELF file as libdw describes them: the reference that tables are compared with.
public final class ReferenceImage {
    private let files: [LibdwFile]
    /// In the order in which they are searched.
    private let sections: [OpaquePointer]
    private var last: ReferenceFrame?
    private let edges: FrameEdges?
    let machine: TableMachine

    /// - Throws: an error with the message of libdw or of the system.
    public convenience init(path: String) throws {
        self.init([try LibdwFile(path: path)])
    }

    /// Opens an image in memory.
    ///
    /// - Throws: an error with libdw's message.
    public convenience init(bytes: [UInt8], name: String) throws {
        self.init([try LibdwFile(bytes: bytes, name: name)])
    }

    /// - Parameters:
    ///   - files: the image, and optionally a file with the rest of its .debug_frame.
    ///   - edges: where FDEs begin and end; nil: no FDE advances beyond its end.
    init(_ files: [LibdwFile], edges: FrameEdges? = nil) {
        self.files = files
        self.edges = edges
        sections = files.prefix(1).compactMap(\.ehFrame) + files.compactMap(\.debugFrame)
        machine = TableMachine(rawValue: files.first?.machine ?? 0) ?? .x86_64
    }

    /// The row in force at an address; nil if no FDE covers it.
    ///
    /// For the first section, libdw is asked once per row: it runs the FDE's instructions until they pass the address,
    /// so the answer holds up to the end that it states. Rows of other sections hold only where the earlier sections
    /// have nothing, which has to be asked at each address. libdw's end of a row may lie beyond the FDE's, if the FDE
    /// advances that far, so libdw is asked again wherever another FDE may begin.
    func frame(at address: UInt64) -> ReferenceFrame? {
        if let last, last.asked <= address, address < last.end { return last }
        for (number, section) in sections.enumerated() {
            var frame: OpaquePointer?
            guard dwarf_cfi_addrframe(section, address, &frame) == 0, let frame else { continue }
            let found = ReferenceFrame(frame, at: address, machine, edge: edges?.next(after: address) ?? .max)
            if number == 0 { last = found }
            return found
        }
        return nil
    }
}
