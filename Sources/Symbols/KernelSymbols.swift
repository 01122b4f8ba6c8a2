import Glibc
import Search

/// The kernel's functions by address, from /proc/kallsyms.
public final class KernelSymbols {
    private struct Symbol {
        var address: UInt64
        /// The range of its name in `text`.
        var name: Range<Int>
        /// Of several symbols with one address, the one with the highest rank is used; 0 if it isn't a function.
        var rank: UInt8
    }

    private let text: [UInt8]
    /// In ascending address order, one symbol per address.
    private let symbols: [Symbol]

    /// An address further than this from a symbol isn't in its function: code without symbols may follow the last
    /// function of a module.
    private static let largest: UInt64 = 256 << 10

    /// Reads the running kernel's symbols. There are none if they can't be read.
    public convenience init() { self.init(text: Self.read("/proc/kallsyms")) }

    /// Parses lines such as `ffffffff81000000 T _stext`, some with ` [module]` at the end.
    ///
    /// - Parameter text: the contents of /proc/kallsyms. Without the privilege to see addresses, these are all 0, and
    ///   there are no symbols.
    public init(text: [UInt8]) {
        self.text = text
        symbols = text.withUnsafeBytes(Self.parsed)
    }

    /// The name of the function that contains an address; nil if there is none. A function ends at the next symbol of
    /// any kind. The end of the last one is unknown.
    public func function(at address: UInt64) -> String? {
        guard let index = symbols.lastIndex(atMost: address, by: { $0.address }) else { return nil }
        let symbol = symbols[index]
        guard symbol.rank > 0, index + 1 < symbols.count || symbol.address == address,
            address - symbol.address < Self.largest
        else { return nil }
        return String(decoding: text[symbol.name], as: UTF8.self)
    }

    // MARK: Reading

    private static func parsed(_ text: UnsafeRawBufferPointer) -> [Symbol] {
        var found: [Symbol] = []
        var start = 0
        while start < text.count {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            if let symbol = symbol(text, start..<end) { found.append(symbol) }
            start = end + 1
        }
        found.sort { ($0.address, $1.rank, $0.name.lowerBound) < ($1.address, $0.rank, $1.name.lowerBound) }
        var best: [Symbol] = []
        best.reserveCapacity(found.count)
        for symbol in found where best.last?.address != symbol.address { best.append(symbol) }
        return best
    }

    /// Parses a line; nil if it is malformed or its address is 0.
    private static func symbol(_ text: UnsafeRawBufferPointer, _ line: Range<Int>) -> Symbol? {
        let fields = text[line].split(maxSplits: 3) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        guard fields.count >= 3, let kind = fields[1].first, fields[1].count == 1,
            let address = UInt64(String(decoding: fields[0], as: UTF8.self), radix: 16), address != 0
        else { return nil }
        let name = fields[2].startIndex..<fields[2].endIndex
        return Symbol(address: address, name: name, rank: rank(kind, fields[2]))
    }

    /// The rank by nm(1)'s letters: functions are `t`, or `w` if weak; global ones are upper case. Global names and
    /// names without leading underscores rank higher.
    private static func rank(_ kind: UInt8, _ name: Slice<UnsafeRawBufferPointer>) -> UInt8 {
        let isFunction = [UInt8(ascii: "t"), UInt8(ascii: "w")].contains(kind | 0x20)
        let isGlobal = kind & 0x20 == 0
        let underscores = UInt8(name.prefix(2).prefix { $0 == UInt8(ascii: "_") }.count)
        return isFunction ? 1 + (isGlobal ? 4 : 0) + 2 - underscores : 0
    }

    /// The contents of a kernel file, whose size is unknown in advance; empty if it can't be read.
    private static func read(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
    }
}
