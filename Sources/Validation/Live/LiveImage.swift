import ELF
import Glibc
import KernelUnwinder
import TableCompiler
import TableSupply
import UnwindTable

/// A file that sampled processes map, as both sides see it: with the table that the kernel has, and with libdw's rows.
final class LiveImage {
    let image: ELFImage
    /// The path in the file system of a process that maps it, or the kernel's name.
    let name: String
    /// The bytes of an image in memory, for libdwfl; nil for a file.
    let memory: UnsafeMutableBufferPointer<CChar>?
    private let supply: any TableSupply
    private let sources: FrameSources?
    private let reference: ReferenceImage?
    /// Whether libdw has a row, by SVMA.
    private var rows: [UInt64: Bool] = [:]
    /// Segments that processes can't have changed.
    private let constant: [Segment]

    /// - Parameter supply: the one that the kernel's tables came from.
    init(_ image: ELFImage, name: String, _ supply: any TableSupply, debugFiles: DebugFileSearch?) {
        (self.image, self.name) = (image, name)
        self.supply = supply
        memory = image.memoryBytes?.copiedForLibelf
        constant = image.segments.filter { $0.isLoad && $0.flags & UInt32(PF_W) == 0 }
        sources = try? ImageInput(image, search: debugFiles).frames()
        reference = sources.flatMap { try? ReferenceImage(ofOpen: image, $0) }
    }

    deinit { memory?.deallocate() }

    /// The file with the rest of the image's .debug_frame, where it can be opened; nil if there is none.
    var debugPath: String? { sources?.debugImage?.descriptorPath }

    func hasRow(at address: UInt64) -> Bool {
        if let known = rows[address] { return known }
        let found = row(at: address) != nil
        rows[address] = found
        return found
    }

    /// libdw's row at an SVMA; nil if it has none.
    func row(at address: UInt64) -> ReferenceFrame? { reference?.frame(at: address) }

    /// Calls `body` with the table that the kernel has; nil if there is none.
    func withTable<Value>(_ body: (TableView) -> Value) -> Value? { try? supply.request(image).withTable(body) }

    /// Whether an SVMA is in the function at the image's entry point.
    func isEntryPoint(at address: UInt64) -> Bool {
        guard let entry = sources?.entry else { return false }
        return withTable { entry.isFunction(at: address, of: $0) } ?? false
    }

    /// Copies bytes that are the same in the file and in all processes; false if not all of these are.
    func copyConstant(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer) -> Bool {
        let (end, overflow) = address.addingReportingOverflow(UInt64(buffer.count))
        if overflow { return false }
        let isConstant = constant.contains { segment in
            address >= segment.virtualAddress && end - segment.virtualAddress <= segment.fileSize
        }
        guard isConstant, let bytes = try? image.bytes(at: address..<end), bytes.count == buffer.count
        else { return false }
        buffer.copyBytes(from: bytes)
        return true
    }
}

extension ReferenceImage {
    /// The same as of an image at its path, which may lead elsewhere by now.
    fileprivate convenience init(ofOpen image: ELFImage, _ sources: FrameSources) throws {
        // libdw reads all debug sections, at any size that their headers claim.
        for image in [image, sources.debugImage] { try image?.checkSectionSizes() }
        let files = try [image, sources.debugImage].compactMap { $0 }.map { image throws(LibdwFile.Failure) in
            if let bytes = image.memoryBytes { return try LibdwFile(bytes: bytes, name: image.name) }
            return try LibdwFile(path: image.descriptorPath ?? image.name)
        }
        self.init(files, edges: FrameEdges(sources))
    }
}
