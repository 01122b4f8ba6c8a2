import Files
import Search

/// The functions of an image by address: those of `.symtab` and `.dynsym`, and the stubs of its procedure linkage
/// table. Names are made into strings only when a lookup gives them.
public struct FunctionSymbols {
    /// The function that an address belongs to, as far as symbols tell.
    public struct Match: Equatable {
        /// Without its default version (`@@VERSION`), and with `@plt` behind it if it is a stub; of at most
        /// ``nameLimit`` bytes.
        public var name: String
        /// SVMA of its first byte.
        public var start: UInt64
        /// Whether its symbol says where it ends. Else it is taken to reach to the next symbol, or to the end of its
        /// section.
        public var hasSize: Bool
        /// A local symbol without type and size: a function of hand-written assembly, or a label within one.
        public var isLabel: Bool
    }

    /// By address, one for each, with the best known name.
    private var functions: [Symbol] = []
    /// Where runs of addresses begin that belong to one function: its index, or `nobody`.
    private var starts: [UInt64] = []
    private var owners: [UInt32] = []
    /// The string tables that symbols' names are in.
    private var names: [UnsafeRawBufferPointer] = []
    /// A table that could not be read, or not to its end; the functions are those of the others.
    public private(set) var problem: ELFError?
    /// Owns `names`.
    private let image: ELFImage

    private static let nobody = UInt32.max
    /// Symbols that are read of one table. The largest programs have a few millions; a symbol takes 24 bytes of a file,
    /// or nothing where that is sparse.
    static let symbolLimit = 1 << 24
    /// Bytes that a name may have here. Longer ones are cut, and end with a hash of what they were.
    public static let nameLimit = 1024

    /// How many addresses have a name.
    public var count: Int { functions.count }
    public var isEmpty: Bool { functions.isEmpty }

    /// The function that contains the SVMA `address`, and how many bytes after its start that is; nil if there is none.
    public func lookup(_ address: UInt64) -> (name: String, offset: UInt64)? {
        match(address).map { ($0.name, address &- $0.start) }
    }

    /// The function that contains the SVMA `address`; nil if there is none. Of functions that contain each other it is
    /// the one that starts last.
    public func match(_ address: UInt64) -> Match? {
        guard let place = starts.lastIndex(atMost: address, by: { $0 }), owners[place] != Self.nobody else {
            return nil
        }
        let symbol = functions[Int(owners[place])]
        guard let name = names[Int(symbol.table)].symbolName(at: Int(symbol.name), isStub: symbol.isStub) else {
            return nil
        }
        return Match(name: name, start: symbol.address, hasSize: symbol.size > 0, isLabel: symbol.isLabel)
    }

    // MARK: Reading

    /// Throws the first problem if nothing could be read.
    ///
    /// - Parameter limit: how many symbols of a table are read.
    init(of image: ELFImage, limit: Int = FunctionSymbols.symbolLimit) throws(ELFError) {
        self.image = image
        let sections = try image.sections()
        let code = CodeSections(of: image, sections)
        var found: [Symbol] = []
        var dynamic: SymbolTable?
        for name in [".symtab", ".dynsym"] {
            guard let section = sections.first(where: { $0.name == name && $0.isSymbolTable }) else { continue }
            do throws(ELFError) {
                let table = try SymbolTable(section, of: image, sections)
                found += table.functions(in: code, number: UInt8(names.count), limit: limit)
                if name == ".dynsym" { dynamic = table }
                names.append(table.names)
                if table.count > limit, problem == nil {
                    problem = ELFError(
                        file: image.name, section: name,
                        kind: .unsupported("more than \(limit) symbols; the rest is ignored"))
                }
            } catch {
                if problem == nil { problem = error }
            }
        }
        functions = Self.best(of: found)
        do throws(ELFError) { try addStubs(dynamic, sections) } catch { if problem == nil { problem = error } }
        dropLabelsOfAssemblers()
        share(code)
        if isEmpty, let problem { throw problem }
    }

    /// The stubs of the procedure linkage table, by the symbols whose addresses they jump to.
    private mutating func addStubs(_ dynamic: SymbolTable?, _ sections: [Section]) throws(ELFError) {
        let stubs = try LinkageStubs(of: image, sections)
        guard !stubs.all.isEmpty else { return }
        let names = UInt8(dynamic == nil ? 0 : self.names.count - 1)
        var added: [Symbol] = []
        for stub in stubs.all {
            var symbol: Symbol
            switch stub.target {
            case .symbol(let number):
                guard let name = dynamic?.nameOffset(number) else { continue }
                symbol = Symbol(name: name, table: names)
            case .address(let address):
                guard let index = index(of: address) else { continue }
                symbol = functions[index]
            }
            (symbol.address, symbol.size) = (stub.start, stub.size)
            symbol.makeStub()
            added.append(symbol)
        }
        if !added.isEmpty { functions = Self.best(of: functions + added) }
    }

    /// Index of the function that starts at an address.
    private func index(of address: UInt64) -> Int? {
        let index = functions.partitioningIndex { $0.address >= address }
        return index < functions.count && functions[index].address == address ? index : nil
    }

    /// By address, one for each: the best known name, and the size of the largest.
    private static func best(of symbols: [Symbol]) -> [Symbol] {
        let sorted = symbols.sorted {
            ($0.address, $1.rank, $0.table, $0.name) < ($1.address, $0.rank, $1.table, $1.name)
        }
        var best: [Symbol] = []
        best.reserveCapacity(sorted.count)
        for symbol in sorted {
            if let last = best.last, last.address == symbol.address {
                best[best.count - 1].size = max(last.size, symbol.size)
            } else {
                best.append(symbol)
            }
        }
        return best
    }

    /// NASM and YASM write labels within `f` as `f.label`.
    private mutating func dropLabelsOfAssemblers() {
        guard functions.contains(where: \.isLabel) else { return }
        var kept = 0
        for index in functions.indices {
            if functions[index].isLabel, kept > 0, isLabel(functions[index], within: functions[kept - 1]) { continue }
            functions[kept] = functions[index]
            kept += 1
        }
        functions.removeSubrange(kept...)
    }

    private func isLabel(_ symbol: Symbol, within function: Symbol) -> Bool {
        // Nobody writes longer ones by hand.
        let label = names[Int(symbol.table)][Int(symbol.name)...].prefix(256)
        let name = names[Int(function.table)][Int(function.name)...].prefix(256)
        var (at, other) = (label.startIndex, name.startIndex)
        while at < label.endIndex, other < name.endIndex, label[at] == name[other], label[at] != 0 {
            at += 1
            other += 1
        }
        return at < label.endIndex && other < name.endIndex && label[at] == UInt8(ascii: ".") && name[other] == 0
    }

    /// Says of each address whose it is. What has a size keeps all of it, but for what starts within and has a size,
    /// too; what has none reaches to the next one, or to the end of its section.
    private mutating func share(_ code: CodeSections) {
        /// Functions that have begun and not ended, the last one having begun last.
        var open: [(index: Int, end: UInt64)] = []
        func begin(_ address: UInt64, _ owner: UInt32) {
            if starts.last == address {
                owners[owners.count - 1] = owner
            } else {
                starts.append(address)
                owners.append(owner)
            }
        }
        func close(before address: UInt64?) {
            while let last = open.last, address.map({ last.end <= $0 }) ?? true {
                // Those that it outlived ended within it.
                while let other = open.last, other.end <= last.end { open.removeLast() }
                begin(last.end, open.last.map { UInt32($0.index) } ?? Self.nobody)
            }
        }
        // At most 2^25 + what the linkage table has, which is less than a file of 4 GiB has bytes.
        for (index, symbol) in functions.enumerated() {
            close(before: symbol.address)
            if symbol.size > 0 {
                let (end, overflow) = symbol.address.addingReportingOverflow(symbol.size)
                begin(symbol.address, UInt32(index))
                open.append((index, overflow ? .max : end))
            } else if open.isEmpty, let end = code.end(of: symbol) {
                begin(symbol.address, UInt32(index))
                if index + 1 == functions.count || end < functions[index + 1].address { begin(end, Self.nobody) }
            }
        }
        close(before: nil)
    }
}

extension ELFImage {
    /// The functions that symbols name. In relocatable files, addresses are relative to the sections, and overlap.
    ///
    /// Throws ``ELFError`` if the section headers are broken, or if there are symbol tables none of which can be read.
    public func functionSymbols() throws(ELFError) -> FunctionSymbols { try FunctionSymbols(of: self) }
}

extension UnsafeRawBufferPointer {
    /// The name of a symbol; nil if it is not in the string table, or doesn't end there.
    fileprivate func symbolName(at offset: Int, isStub: Bool) -> String? {
        // What is longer than this is told apart no further.
        let most = 1 << 20
        guard offset >= 0, offset < count else { return nil }
        let rest = self[offset..<Swift.min(count, offset + most)]
        let end = rest.firstIndex(of: 0)
        guard end != nil || rest.count == most else { return nil }
        var name = rest[..<(end ?? rest.endIndex)]
        // `memcpy@@GLIBC_2.14` is what everybody means by memcpy. Other versions say which they are.
        if let at = name.firstIndex(of: UInt8(ascii: "@")), at > name.startIndex, at + 1 < name.endIndex,
            name[at + 1] == UInt8(ascii: "@")
        {
            name = name[..<at]
        }
        return Self.shortened(name, to: FunctionSymbols.nameLimit) + (isStub ? "@plt" : "")
    }

    /// Names that differ differ still when they are cut, by their hash (FNV-1a, 32 bits).
    private static func shortened(_ name: Slice<UnsafeRawBufferPointer>, to limit: Int) -> String {
        guard name.count > limit else { return String(decoding: name, as: UTF8.self) }
        var hash: UInt32 = 0x811c_9dc5
        for byte in name { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let mark = "...#" + Hex.text(hash, digits: 8)
        var end = name.startIndex + limit - mark.utf8.count
        // Not within a character.
        while end > name.startIndex, name[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: name[..<end], as: UTF8.self) + mark
    }
}
