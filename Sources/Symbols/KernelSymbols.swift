import Glibc
import Search

/// The kernel's functions by address, from /proc/kallsyms.
public final class KernelSymbols {
    private struct Symbol {
        var address: UInt64
        /// The range of its name in `text`.
        var name: Range<Int>
        /// The range of its module's name in `text`; empty if it is in no module.
        var module: Range<Int>
        /// Of several symbols with one address, the one with the highest rank is used; 0 if it isn't a function.
        var rank: UInt8
    }

    private let text: [UInt8]
    /// In ascending address order, one symbol per address.
    private let symbols: [Symbol]
    /// Where each module's memory ends, by the module's name.
    private let moduleEnds: [String: UInt64]

    /// An address further than this from a symbol isn't in its function: code without symbols may follow the last
    /// function of a module.
    private static let largest: UInt64 = 256 << 10

    /// Reads the running kernel's symbols. There are none if they can't be read.
    public convenience init() { self.init(text: Self.read("/proc/kallsyms"), modules: Self.read("/proc/modules")) }

    /// Parses lines such as `ffffffff81000000 T _stext`, some with ` [module]` at the end.
    ///
    /// - Parameters:
    ///   - text: the contents of /proc/kallsyms. Without the privilege to see addresses, these are all 0, and there are
    ///     no symbols.
    ///   - modules: the contents of /proc/modules.
    public init(text: [UInt8], modules: [UInt8] = []) {
        self.text = text
        moduleEnds = Self.moduleEnds(modules)
        symbols = text.withUnsafeBytes(Self.parsed)
    }

    /// The name of the function that contains an address; nil if there is none. A function ends at the next symbol of
    /// any kind. The last one of a module ends with the module; if that end is unknown, it is known by its first byte
    /// only.
    public func function(at address: UInt64) -> String? {
        symbol(at: address).map { String(decoding: text[$0.name], as: UTF8.self) }
    }

    /// The first address of the function that contains an address; nil if there is none.
    public func start(ofFunctionAt address: UInt64) -> UInt64? { symbol(at: address)?.address }

    private func symbol(at address: UInt64) -> Symbol? {
        guard let index = symbols.lastIndex(atMost: address, by: { $0.address }) else { return nil }
        let symbol = symbols[index]
        guard symbol.rank > 0, address - symbol.address < Self.largest else { return nil }
        let isLast = index + 1 == symbols.count || text[symbols[index + 1].module] != text[symbol.module]
        if isLast, address != symbol.address {
            let module = String(decoding: text[symbol.module], as: UTF8.self)
            guard address < moduleEnds[module, default: 0] else { return nil }
        }
        return symbol
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
        let module = fields.count > 3 ? fields[3].startIndex..<fields[3].endIndex : 0..<0
        return Symbol(address: address, name: name, module: module, rank: rank(kind, fields[2]))
    }

    /// Parses lines such as `xfs 2371584 1 - Live 0xffffffffc0a00000`: name, size and address are fields 1, 2 and 6.
    private static func moduleEnds(_ text: [UInt8]) -> [String: UInt64] {
        var ends: [String: UInt64] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 6, fields[5].hasPrefix("0x"), let size = UInt64(fields[1]),
                let address = UInt64(fields[5].dropFirst(2), radix: 16), address != 0
            else { continue }
            let (end, overflow) = address.addingReportingOverflow(size)
            if !overflow { ends["[\(fields[0])]"] = end }
        }
        return ends
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
    package static func read(_ path: String) -> [UInt8] {
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
