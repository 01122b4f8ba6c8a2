import CLibdw
import UnwindTable

/// What libdw says of an ELF file's frames: the reference that tables are compared with.
public final class ReferenceImage {
    private let files: [LibdwFile]
    /// In the order in which they are asked.
    private let sections: [OpaquePointer]
    private var last: ReferenceFrame?
    private let edges: FrameEdges?
    let machine: TableMachine

    /// - Throws: an error that says what libdw, or the system, said.
    public convenience init(path: String) throws {
        self.init([try LibdwFile(path: path)])
    }

    /// An image in memory.
    ///
    /// - Throws: as for a file.
    public convenience init(bytes: [UInt8], name: String) throws {
        self.init([try LibdwFile(bytes: bytes, name: name)])
    }

    /// - Parameters:
    ///   - files: the image; then what has more of its .debug_frame.
    ///   - edges: where FDEs begin and end; nil: none advances past its end.
    init(_ files: [LibdwFile], edges: FrameEdges? = nil) {
        self.files = files
        self.edges = edges
        sections = files.prefix(1).compactMap(\.ehFrame) + files.compactMap(\.debugFrame)
        machine = TableMachine(rawValue: files.first?.machine ?? 0) ?? .x86_64
    }

    /// The row in force at an address; nil where no FDE is.
    ///
    /// libdw is asked once for each row of the first section: it runs the FDE's instructions until they pass the
    /// address, so that up to where it says that the row ends the answer is the same. Those of other sections hold only
    /// where the ones before have nothing, which is asked each time. libdw's end of a row may be past that of the FDE,
    /// if the FDE advances so far: where another FDE may begin it is asked again.
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
