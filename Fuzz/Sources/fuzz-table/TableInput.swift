import CUnwindTable
import Inputs
import UnwindTable

/// A table file made from an input: the first byte has options, the rest is the file.
///
/// Wrong checksums and section offsets would make nearly every mutated input fail at the header. Options correct them,
/// so that the later proofs are reached.
struct TableInput {
    /// Bits of the first byte.
    private struct Fitting: OptionSet {
        let rawValue: UInt8

        static let checksums = Fitting(rawValue: 1)
        /// Corrects the sections' offsets. Keeps their sizes, as far as there are enough bytes.
        static let layout = Fitting(rawValue: 2)
    }

    /// A separate allocation of exactly the file's size, so that the sanitizer sees reads past the end.
    let bytes: UnsafeMutableRawBufferPointer
    /// Derived from the input.
    let seed: UInt64

    private static let headerSize = MemoryLayout<cfic_table_header>.size

    init(_ input: InputBytes) {
        var input = input
        let fitting = Fitting(rawValue: input.next())
        seed = TableView.checksum(input.rest)
        let file = input.rest
        if file.count >= Self.headerSize, fitting.contains(.layout) {
            bytes = Self.laidOut(file)
        } else {
            bytes = .allocate(byteCount: file.count, alignment: 16)
            bytes.copyMemory(from: file)
        }
        if file.count >= Self.headerSize, !fitting.isEmpty { Self.sum(bytes) }
    }

    func deallocate() { bytes.deallocate() }

    private static var elementSizes: [Int] {
        [
            MemoryLayout<cfic_range>.size, MemoryLayout<UInt32>.size, MemoryLayout<cfic_rule>.size,
            MemoryLayout<cfic_op>.size, Int(CFIC_RECORD_ALIGN),
        ]
    }

    private static func sections(_ header: inout cfic_table_header, _ body: (inout [cfic_section]) -> Void) {
        withUnsafeMutableBytes(of: &header.sections) { raw in
            let fields = raw.bindMemory(to: cfic_section.self)
            var sections = Array(fields)
            body(&sections)
            _ = fields.update(from: sections)
        }
    }

    /// The header, then the remaining bytes cut into sections of the header's sizes; the last section gets the rest.
    private static func laidOut(_ file: UnsafeRawBufferPointer) -> UnsafeMutableRawBufferPointer {
        var header = file.loadUnaligned(as: cfic_table_header.self)
        var rest = file.dropFirst(headerSize)
        var content: [UInt8] = []
        sections(&header) { sections in
            for (number, elementSize) in elementSizes.enumerated() {
                let wanted = number == sections.count - 1 ? UInt64.max : sections[number].size
                let size = Int(min(wanted, UInt64(rest.count))) / elementSize * elementSize
                content += Array(repeating: 0, count: -content.count & 15)
                sections[number].offset = UInt64(headerSize + content.count)
                sections[number].size = UInt64(size)
                content += rest.prefix(size)
                rest = rest.dropFirst(size)
            }
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize + content.count, alignment: 16)
        withUnsafeBytes(of: header) { bytes.copyMemory(from: $0) }
        UnsafeMutableRawBufferPointer(rebasing: bytes[headerSize...]).copyBytes(from: content)
        return bytes
    }

    /// Sets the checksums of the sections that are within the file, and of the header.
    private static func sum(_ bytes: UnsafeMutableRawBufferPointer) {
        var header = bytes.loadUnaligned(as: cfic_table_header.self)
        sections(&header) { sections in
            for number in sections.indices {
                let section = sections[number]
                guard section.offset <= UInt64(bytes.count), section.size <= UInt64(bytes.count) - section.offset else {
                    continue
                }
                let content = bytes[Int(section.offset)..<Int(section.offset + section.size)]
                sections[number].checksum = TableView.checksum(UnsafeRawBufferPointer(rebasing: content))
            }
        }
        withUnsafeBytes(of: header) { bytes.copyMemory(from: $0) }
        let end = headerSize - MemoryLayout<UInt64>.size
        let checksum = TableView.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        bytes.storeBytes(of: checksum, toByteOffset: end, as: UInt64.self)
    }
}
