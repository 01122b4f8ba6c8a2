import ELF
import Files
import Glibc
import Search

/// Names of generated code, from a file of records that a just-in-time compiler writes (Linux,
/// tools/perf/Documentation/jitdump-specification.txt). Code moves: of the records that put code at an address, the last one
/// counts.
///
/// Any process can write such a file: memory depends on the addresses that were asked for, and each record is read once.
package struct JITDump {
    /// Records that are read.
    private static let recordLimit = 1 << 22

    /// AVMAs, ascending.
    private let addresses: [UInt64]
    /// The stamp of a record is its offset in the file, plus 1.
    private var cover: LatestCover
    /// Why names may be missing.
    package private(set) var problem: String?
    /// By address; nil if no record puts code there.
    package private(set) var names: [String?]

    /// - Parameters:
    ///   - file: may change meanwhile.
    ///   - name: for messages.
    ///   - addresses: AVMAs, ascending, each once.
    package init(_ file: borrowing Descriptor, name: String, addresses: [UInt64]) {
        self.addresses = addresses
        cover = LatestCover(count: addresses.count)
        names = Array(repeating: nil, count: addresses.count)
        // Magic, version, size of the header.
        guard let header = RecordHead(file, at: 0), header.word(0) == Self.magic, header.word(8) >= Self.headerSize
        else {
            problem = "\(name) is not a jitdump file in this machine's byte order"
            return
        }
        var painted = cover
        let isWhole = Self.forEachRecord(file, from: UInt64(header.word(8))) { [addresses] offset, record in
            guard let code = record.code else { return }
            let (end, overflow) = code.start.addingReportingOverflow(code.size)
            let first = addresses.partitioningIndex { $0 >= code.start }
            guard first < addresses.count, overflow || addresses[first] < end else { return }
            let last = overflow ? addresses.count : addresses.partitioningIndex { $0 >= end }
            painted.cover(first..<last, stamp: offset + 1)
        }
        cover = painted
        if !isWhole { problem = "\(name) is malformed or has too many records; names may be missing" }
        names = readNames(file, from: UInt64(header.word(8)))
    }

    /// "JiTD", in the byte order of the writer.
    private static let magic: UInt32 = 0x4a69_5444
    private static let headerSize: UInt32 = 40

    /// Calls `body` with each record and its offset.
    ///
    /// - Returns: whether all were read.
    private static func forEachRecord(
        _ file: borrowing Descriptor, from start: UInt64, _ body: (UInt64, RecordHead) -> Void
    ) -> Bool {
        var offset = start
        for _ in 0..<recordLimit {
            guard let record = RecordHead(file, at: offset), record.count >= RecordHead.least else { return true }
            guard record.size >= RecordHead.least else { return false }
            body(offset, record)
            offset += UInt64(record.size)
        }
        return false
    }

    private func readNames(_ file: borrowing Descriptor, from start: UInt64) -> [String?] {
        let stamps = addresses.indices.map { cover.latest(at: $0) }
        /// Where the name is, by stamp; code that was moved has it where it was loaded.
        var places: [UInt64: UInt64] = [:]
        var moved: [UInt64: UInt64] = [:]
        for stamp in Set(stamps.compactMap(\.self)) {
            guard let record = RecordHead(file, at: stamp - 1) else { continue }
            if record.kind == RecordHead.load { places[stamp] = stamp - 1 + RecordHead.nameOffset }
            if record.kind == RecordHead.move, record.code != nil { moved[stamp] = record.index }
        }
        if !moved.isEmpty {
            let wanted = Set(moved.values)
            var loaded: [UInt64: UInt64] = [:]
            _ = Self.forEachRecord(file, from: start) { offset, record in
                guard record.kind == RecordHead.load, record.code != nil, wanted.contains(record.index) else { return }
                loaded[record.index] = offset + RecordHead.nameOffset
            }
            for (stamp, index) in moved { places[stamp] = loaded[index] }
        }
        let names = places.mapValues { PerfMap.name(file, at: $0, end: 0) }
        return stamps.map { $0.flatMap { names[$0] ?? nil } }
    }
}

/// The first bytes of a record, or of the file.
private struct RecordHead {
    static let load: UInt32 = 0, move: UInt32 = 1
    /// Bytes of the smallest record: id, size, time.
    static let least = 16
    /// After id, size, time, pid, tid, vma, code_addr, code_size, code_index.
    static let nameOffset: UInt64 = 56

    private var bytes: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    let count: Int

    /// Nil at the end of the file.
    init?(_ file: borrowing Descriptor, at offset: UInt64) {
        count = withUnsafeMutableBytes(of: &bytes) { file.read(at: offset, into: $0) }
        if count == 0 { return nil }
    }

    func word(_ offset: Int) -> UInt32 {
        withUnsafeBytes(of: bytes) { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }
    private func long(_ offset: Int) -> UInt64 {
        withUnsafeBytes(of: bytes) { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    }

    var kind: UInt32 { word(0) }
    var size: UInt32 { word(4) }
    /// Where code is from now on; nil of other records.
    var code: (start: UInt64, size: UInt64)? {
        switch kind {
        // pid, tid, vma, code_addr, code_size, code_index.
        case Self.load where count > Self.nameOffset: (long(32), long(40))
        // pid, tid, vma, old_code_addr, new_code_addr, code_size, code_index.
        case Self.move where count >= 64: (long(40), long(48))
        default: nil
        }
    }
    /// What the compiler numbers its code by.
    var index: UInt64 { kind == Self.move ? long(56) : long(48) }
}
