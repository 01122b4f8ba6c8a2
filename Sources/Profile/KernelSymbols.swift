import Glibc

/// The kernel's functions by address (/proc/kallsyms), read when first asked for.
public final class KernelSymbols {
    private lazy var symbols = Self.read()

    public init() {}

    /// The function that an address is in; nil if the kernel's symbols can't be read.
    public func function(at address: UInt64) -> String? {
        var (first, end) = (0, symbols.addresses.count)
        while first < end {
            let middle = (first + end) / 2
            if symbols.addresses[middle] <= address { first = middle + 1 } else { end = middle }
        }
        return first > 0 ? symbols.names[first - 1] : nil
    }

    /// Functions by rising address. Without the privilege to see them all addresses are 0.
    private static func read() -> (addresses: [UInt64], names: [String]) {
        guard let file = fopen("/proc/kallsyms", "re") else { return ([], []) }
        defer { fclose(file) }
        var found: [(address: UInt64, name: String)] = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line {
            // "ffffffff81000000 T _stext [module]"
            let parts = String(cString: text).split(maxSplits: 3) { $0 == " " || $0 == "\t" || $0 == "\n" }
            guard parts.count >= 3, parts[1] == "t" || parts[1] == "T" || parts[1] == "W" || parts[1] == "w",
                let address = UInt64(parts[0], radix: 16), address != 0
            else { continue }
            found.append((address, String(parts[2])))
        }
        found.sort { $0.address < $1.address }
        return (found.map(\.address), found.map(\.name))
    }
}
