import CallFrameInfo
import Inputs
import UnwindTable

/// Sections and code ranges made from an input: a header of 40 bytes describes them, and the sections' bytes follow.
///
///     offset  bytes
///     0       1      flags, below
///     1       1      bits 0-1: number of executable segments - 1; 0xff repeats the section
///     2       2      offset in the sections' bytes where the first section ends and the second one starts
///     4       8      SVMA of the section
///     12      8      SVMA of the first segment
///     20      5 × 4  for each segment: u16 size in units of 16 bytes, u8 mantissa and u8 exponent of the gap before it
struct CallFrameInput {
    /// Bits of the first byte.
    struct Flags: OptionSet {
        let rawValue: UInt8

        static let debugFrame = Flags(rawValue: 1)
        static let aarch64 = Flags(rawValue: 2)
        static let shortAddresses = Flags(rawValue: 4)
        static let bigEndian = Flags(rawValue: 8)
        static let endsAtTerminator = Flags(rawValue: 16)
        static let twoSections = Flags(rawValue: 32)
        static let keepsGaps = Flags(rawValue: 64)
        static let secondIsDebugFrame = Flags(rawValue: 128)
    }

    let flags: Flags
    let machine: TableMachine
    let sections: [FrameSection]
    /// Sorted and disjoint, like `ELFImage.executableSegments`.
    let executable: [Range<UInt64>]
    /// Whether there are enough FDEs for two chunks.
    let isRepeated: Bool
    /// Owns the sections' bytes.
    private let memory: UnsafeMutableRawBufferPointer

    /// With FDEs of 40 bytes, this many bytes contain 8,192 FDEs, enough for two threads.
    private static let repeatedSize = 320 << 10

    init(_ input: InputBytes) {
        var input = input
        flags = Flags(rawValue: input.next())
        let layout = input.next()
        let split = Int(input.next(UInt16.self))
        let address = input.next(UInt64.self)
        machine = flags.contains(.aarch64) ? .aarch64 : .x86_64
        let limit = flags.contains(.shortAddresses) ? 1 << 32 : UInt64.max
        executable = Self.segments(&input, count: Int(layout & 3) + 1, limit: limit)
        isRepeated = layout == 0xff && !input.rest.isEmpty
        let copies = isRepeated ? (Self.repeatedSize + input.rest.count - 1) / input.rest.count : 1
        memory = Self.copy(input.rest, copies)

        let bytes = UnsafeRawBufferPointer(memory)
        let cut = flags.contains(.twoSections) ? min(split, bytes.count) : bytes.count
        let kinds: [FrameSection.Kind] = [
            flags.contains(.debugFrame) ? .debugFrame : .ehFrame,
            flags.contains(.secondIsDebugFrame) ? .debugFrame : .ehFrame,
        ]
        var sections = [Self.section(kinds[0], bytes[..<cut], address, flags, machine)]
        if flags.contains(.twoSections) {
            sections.append(Self.section(kinds[1], bytes[cut...], address &+ UInt64(cut), flags, machine))
        }
        self.sections = sections
    }

    func deallocate() { memory.deallocate() }

    /// Copies the bytes into a separate allocation of exactly their size, so that the sanitizer sees reads past the
    /// end.
    private static func copy(_ bytes: UnsafeRawBufferPointer, _ copies: Int) -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count * copies, alignment: 16)
        for copy in 0..<copies where !bytes.isEmpty {
            UnsafeMutableRawBufferPointer(rebasing: memory[(copy * bytes.count)...]).copyMemory(from: bytes)
        }
        return memory
    }

    private static func section(
        _ kind: FrameSection.Kind, _ bytes: Slice<UnsafeRawBufferPointer>, _ address: UInt64, _ flags: Flags,
        _ machine: TableMachine
    ) -> FrameSection {
        FrameSection(
            kind: kind, bytes: UnsafeRawBufferPointer(rebasing: bytes), address: kind == .ehFrame ? address : 0,
            textAddress: 0x40_1000, dataAddress: 0x40_3000, addressSize: flags.contains(.shortAddresses) ? 4 : 8,
            isBigEndian: flags.contains(.bigEndian), machine: machine.rawValue,
            endsAtTerminator: flags.contains(.endsAtTerminator))
    }

    /// Reads all five segments, regardless of the count, so that sections always start at the same offset.
    private static func segments(_ input: inout InputBytes, count: Int, limit: UInt64) -> [Range<UInt64>] {
        var next: UInt64? = input.next(UInt64.self)
        var segments: [Range<UInt64>] = []
        for number in 0..<5 {
            let size = UInt64(input.next(UInt16.self)) * 16
            let gap = UInt64(input.next()) << UInt64(input.next() & 63)
            guard number < count, size > 0, let end = next else { continue }
            let (start, overflow) = end.addingReportingOverflow(gap)
            guard !overflow, start < limit else {
                next = nil
                continue
            }
            let segment = start..<start + min(size, limit - start)
            if let last = segments.last, last.upperBound == segment.lowerBound {
                segments[segments.count - 1] = last.lowerBound..<segment.upperBound
            } else {
                segments.append(segment)
            }
            next = segment.upperBound
        }
        return segments
    }
}
