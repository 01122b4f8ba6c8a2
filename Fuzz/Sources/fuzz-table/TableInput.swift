import CUnwindTable
import Inputs
import UnwindTable

/// A table file made from an input: the first byte has options, the rest is the file.
///
/// Wrong checksums and lengths of sections would make nearly every mutated input fail at the header. Options correct
/// them, so that the later proofs are reached.
struct TableInput {
    /// Bits of the first byte.
    private struct Fitting: OptionSet {
        let rawValue: UInt8

        static let checksums = Fitting(rawValue: 1)
        /// Corrects the sections' lengths. Keeps them, as far as there are enough bytes; the last section gets the rest.
        static let layout = Fitting(rawValue: 2)
    }

    /// A separate allocation of exactly the file's size, so that the sanitizer sees reads past the end.
    let bytes: UnsafeMutableRawBufferPointer
    /// Derived from the input.
    let seed: UInt64

    init(_ input: InputBytes) {
        var input = input
        let fitting = Fitting(rawValue: input.next())
        seed = TableView.checksum(input.rest)
        let file = input.rest
        let headerSize = Self.headerSize(file)
        if let headerSize, fitting.contains(.layout) {
            bytes = Self.laidOut(file, headerSize)
        } else {
            bytes = .allocate(byteCount: file.count, alignment: 16)
            bytes.copyMemory(from: file)
        }
        if let headerSize, !fitting.isEmpty { Self.sum(bytes, headerSize) }
    }

    func deallocate() { bytes.deallocate() }

    /// Nil if the file is smaller than its header.
    private static func headerSize(_ file: UnsafeRawBufferPointer) -> Int? {
        guard file.count >= MemoryLayout<cfic_table_header>.size else { return nil }
        var header = file.loadUnaligned(as: cfic_table_header.self)
        let size = Int(cfic_header_size(&header))
        return size <= file.count ? size : nil
    }

    /// The sections' element sizes, and 0 of those that must be empty.
    private static var elementSizes: [Int] {
        [
            MemoryLayout<cfic_range>.size, MemoryLayout<cfic_op>.size, MemoryLayout<cfic_template>.size,
            MemoryLayout<UInt32>.size, MemoryLayout<cfic_short_rule>.size, MemoryLayout<cfic_rule>.size, 0, 0,
            Int(CFIC_RECORD_ALIGN),
        ]
    }

    /// The header, the remaining bytes, cut into sections of the header's lengths, and the spare bytes.
    private static func laidOut(
        _ file: UnsafeRawBufferPointer, _ headerSize: Int
    ) -> UnsafeMutableRawBufferPointer {
        var header = file.loadUnaligned(as: cfic_table_header.self)
        var rest = file.dropFirst(headerSize)
        var content: [UInt8] = []
        withUnsafeMutableBytes(of: &header.lengths) { raw in
            let lengths = raw.bindMemory(to: UInt32.self)
            for (number, elementSize) in elementSizes.enumerated() where elementSize > 0 {
                let wanted = number == elementSizes.count - 1 ? Int.max : Int(lengths[number])
                let count = min(wanted, rest.count / elementSize)
                lengths[number] = UInt32(count)
                content += rest.prefix(count * elementSize)
                rest = rest.dropFirst(count * elementSize)
            }
        }
        content += Array(repeating: 0, count: Int(CFIC_SPARE_BYTES))
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize + content.count, alignment: 16)
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: file[..<headerSize]))
        withUnsafeBytes(of: header) { bytes.copyMemory(from: $0) }
        UnsafeMutableRawBufferPointer(rebasing: bytes[headerSize...]).copyBytes(from: content)
        return bytes
    }

    /// Sets the checksums of the header and of what follows it.
    private static func sum(_ bytes: UnsafeMutableRawBufferPointer, _ headerSize: Int) {
        func checksum(_ range: Range<Int>) -> UInt64 {
            TableView.checksum(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        var header = bytes.loadUnaligned(as: cfic_table_header.self)
        header.checksum = checksum(headerSize..<bytes.count)
        withUnsafeBytes(of: header) { bytes.copyMemory(from: $0) }
        let end = headerSize - MemoryLayout<UInt64>.size
        bytes.storeBytes(of: checksum(0..<end), toByteOffset: end, as: UInt64.self)
    }
}
