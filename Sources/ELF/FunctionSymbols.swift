import Files
import Glibc
import GoFunctionTable
import Search

/// The functions of an image by address: those in `.symtab` and `.dynsym`, or in the `.symtab` of its debug file, or in the
/// table that a Go program's runtime needs; and the stubs of its procedure linkage table. Name strings are created only by
/// lookups.
public struct FunctionSymbols {
    /// The function that symbols assign to an address.
    package struct Match: Equatable {
        /// Without the default version (`@@VERSION`); ends in `@plt` for a stub. At most ``nameLimit`` bytes, or as many
        /// as were asked for, plus that suffix.
        package var name: String
        /// SVMA of the function's first byte.
        package var start: UInt64
        /// Whether the symbol has a size. Otherwise the function is assumed to extend to the next symbol or to the end
        /// of its section.
        package var hasSize: Bool
        /// Whether this is a local symbol without type and size: a function in hand-written assembly, or a label inside
        /// one.
        package var isLabel: Bool
    }

    /// Sorted by address; for each address, the symbol with the best known name.
    private var functions: [Symbol] = []
    /// SVMAs where the owner changes. From each to the next, addresses belong to the function with the index in
    /// `owners`, or to `nobody`.
    private var starts: [UInt64] = []
    private var owners: [UInt32] = []
    /// The string tables that contain the names.
    private var names: [UnsafeRawBufferPointer] = []
    /// The first problem with a table, if one could not be read completely. The functions are then those that could be
    /// read.
    public private(set) var problem: ELFError?
    /// Own `names`.
    private let images: [ELFImage]

    private static let nobody = UInt32.max
    /// Symbols read from one table. The largest programs have a few million. A symbol takes 24 bytes of a file, or none
    /// in a sparse one.
    static let symbolLimit = 1 << 24
    /// Bytes of a name. A longer name is cut and ends in a hash of the whole.
    package static let nameLimit = 1024
    /// Bytes of a name that is to be demangled. Of longer symbols it isn't tried.
    package static let mangledNameLimit = 16384

    /// The number of addresses that have a name.
    public var count: Int { functions.count }
    /// Whether there are none.
    public var isEmpty: Bool { functions.isEmpty }
    /// SVMAs that have a name, in ascending order.
    package var addresses: some RandomAccessCollection<UInt64> { functions.lazy.map(\.address) }

    /// The name of the function that contains the SVMA `address`, and the address's offset from its start, in bytes;
    /// nil if there is none.
    public func lookup(_ address: UInt64) -> (name: String, offset: UInt64)? {
        match(address).map { ($0.name, address &- $0.start) }
    }

    /// The function that contains the SVMA `address`; nil if there is none. If several contain it, the one that starts
    /// last.
    ///
    /// - Parameter limit: bytes of the longest name that isn't cut.
    package func match(_ address: UInt64, limit: Int = nameLimit) -> Match? {
        guard let place = starts.lastIndex(atMost: address, by: { $0 }), owners[place] != Self.nobody else {
            return nil
        }
        let symbol = functions[Int(owners[place])]
        let strings = names[Int(symbol.table)]
        guard let name = strings.symbolName(at: Int(symbol.name), limit: limit, isStub: symbol.isStub) else {
            return nil
        }
        return Match(name: name, start: symbol.address, hasSize: symbol.size > 0, isLabel: symbol.isLabel)
    }

    // MARK: Reading

    /// Throws the first problem if nothing could be read.
    ///
    /// - Parameters:
    ///   - debugFile: has the `.symtab` that the image was stripped of.
    ///   - limit: the number of symbols to read from a table.
    ///   - isLoadedOnly: whether symbols that stripping removes, and the functions of Go programs, are left out.
    init(
        of image: ELFImage, debugFile: ELFImage? = nil, limit: Int = FunctionSymbols.symbolLimit,
        isLoadedOnly: Bool = false
    ) throws(ELFError) {
        images = [image] + (debugFile.map { [$0] } ?? [])
        let sections = try image.sections()
        let code = CodeSections(of: image, sections)
        if !isLoadedOnly { add(".symtab", of: image, sections, code, limit: limit) }
        let dynamic = add(".dynsym", of: image, sections, code, limit: limit)
        let dynamicNames = UInt8(dynamic == nil ? 0 : names.count - 1)
        // Last, so that of equally well known names it is the same one with and without a debug file: mmap, not mmap64.
        if let debugFile {
            do throws(ELFError) {
                let theirs = try debugFile.sections()
                add(".symtab", of: debugFile, theirs, CodeSections(of: debugFile, theirs), limit: limit)
            } catch { if problem == nil { problem = error } }
        }
        if debugFile == nil, !isLoadedOnly, !image.hasSymbolTable {
            do throws(ELFError) { try addGoFunctions(limit: limit) } catch { if problem == nil { problem = error } }
        }
        keepBest()
        do throws(ELFError) { try addStubs(dynamic, dynamicNames, sections) } catch {
            if problem == nil { problem = error }
        }
        dropLabelsOfAssemblers()
        share(code)
        if isEmpty, let problem { throw problem }
    }

    /// Adds the functions of a symbol table.
    ///
    /// - Returns: the table; nil if there is none or it can't be read.
    @discardableResult
    private mutating func add(
        _ name: String, of image: ELFImage, _ sections: [Section], _ code: CodeSections, limit: Int
    ) -> SymbolTable? {
        guard let section = sections.first(where: { $0.name == name && $0.isSymbolTable }) else { return nil }
        do throws(ELFError) {
            let table = try SymbolTable(section, of: image, sections)
            table.addFunctions(to: &functions, in: code, number: UInt8(names.count), limit: limit)
            names.append(table.names)
            if table.count > limit, problem == nil {
                problem = ELFError(
                    file: image.name, section: name,
                    kind: .unsupported("more than \(limit) symbols; the rest is ignored"))
            }
            return table
        } catch {
            if problem == nil { problem = error }
            return nil
        }
    }

    /// Adds the functions of a Go program. Their sizes include the padding behind them.
    private mutating func addGoFunctions(limit: Int) throws(ELFError) {
        guard let go = try images[0].goFunctions() else { return }
        do throws(GoTableError) {
            for index in 0..<min(go.table.count, limit) {
                let function = try go.table.function(index)
                guard function.name < go.bytes.count, let name = UInt32(exactly: function.name) else { continue }
                var symbol = Symbol(name: name, table: UInt8(names.count))
                (symbol.address, symbol.size) = (function.addresses.lowerBound, UInt64(function.addresses.count))
                functions.append(symbol)
            }
        } catch {
            problem = problem ?? images[0].malformed(error, go.section)
        }
        names.append(go.bytes)
    }

    /// Adds the stubs of the procedure linkage table, named after the symbols that they jump to.
    ///
    /// - Parameter names: the number of the string table of `dynamic`.
    private mutating func addStubs(
        _ dynamic: SymbolTable?, _ names: UInt8, _ sections: [Section]
    ) throws(ELFError) {
        let stubs = try LinkageStubs(of: images[0], sections)
        guard !stubs.all.isEmpty else { return }
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
        if added.isEmpty { return }
        functions += added
        keepBest()
    }

    /// The index of the function that starts at an address.
    private func index(of address: UInt64) -> Int? {
        let index = functions.partitioningIndex { $0.address >= address }
        return index < functions.count && functions[index].address == address ? index : nil
    }

    /// Sorts the symbols by address, and keeps for each address the best known name and the largest size. In place, because
    /// the symbols of a large program take 100 MB.
    private mutating func keepBest() {
        functions.sort {
            ($0.address, $1.rank, $0.table, $0.name) < ($1.address, $0.rank, $1.table, $1.name)
        }
        var kept = 0
        for index in functions.indices {
            if kept > 0, functions[kept - 1].address == functions[index].address {
                functions[kept - 1].size = max(functions[kept - 1].size, functions[index].size)
            } else {
                functions[kept] = functions[index]
                kept += 1
            }
        }
        functions.removeSubrange(kept...)
    }

    /// NASM and YASM turn a local label in `f` into the symbol `f.label`.
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
        // Nobody writes longer names by hand.
        let label = names[Int(symbol.table)][Int(symbol.name)...].prefix(256)
        let name = names[Int(function.table)][Int(function.name)...].prefix(256)
        var (at, other) = (label.startIndex, name.startIndex)
        while at < label.endIndex, other < name.endIndex, label[at] == name[other], label[at] != 0 {
            at += 1
            other += 1
        }
        return at < label.endIndex && other < name.endIndex && label[at] == UInt8(ascii: ".") && name[other] == 0
    }

    /// Assigns each address to one function. A function with a size owns all of its bytes, except those of functions
    /// with a size that start inside it. A function without one extends to the next function or to the end of its
    /// section.
    private mutating func share(_ code: CodeSections) {
        /// Functions that have started and not ended, in the order of their starts.
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
                // Functions that `last` outlives ended inside it.
                while let other = open.last, other.end <= last.end { open.removeLast() }
                begin(last.end, open.last.map { UInt32($0.index) } ?? Self.nobody)
            }
        }
        // As many as there can be: memory that isn't used in the end is never touched.
        starts.reserveCapacity(2 * functions.count)
        owners.reserveCapacity(2 * functions.count)
        // At most 2^25 functions, plus fewer stubs than a file of 4 GiB has bytes: the index fits.
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
    /// Whether it has a `.symtab`, with its bytes: stripped files have none.
    package var hasSymbolTable: Bool {
        (try? section(named: ".symtab")).map { !$0.hasNoBits } ?? false
    }

    /// Whether it has DWARF, with its bytes.
    package var hasDebugInfo: Bool {
        [".debug_info", ".zdebug_info"].contains { (try? section(named: $0)).map { !$0.hasNoBits } ?? false }
    }

    /// In bytes, when it was opened, without the holes of a sparse file.
    package var sizeWithoutHoles: UInt64 { source.presentSize }

    /// The functions that symbols name. In relocatable files, addresses are relative to the sections, and overlap.
    ///
    /// Throws ``ELFError`` if the section headers are broken, or if there are symbol tables and none of them can be
    /// read.
    ///
    /// - Parameter debugFile: the file with the `.symtab` that this one was stripped of; nil if there is none.
    public func functionSymbols(debugFile: ELFImage? = nil) throws(ELFError) -> FunctionSymbols {
        try FunctionSymbols(of: self, debugFile: debugFile)
    }
}

extension ELFImage {
    /// The functions that `.dynsym` names, and the stubs of the procedure linkage table: what stripping leaves.
    ///
    /// Throws ``ELFError`` as ``functionSymbols(debugFile:)`` does.
    package func loadedFunctionSymbols() throws(ELFError) -> FunctionSymbols {
        try FunctionSymbols(of: self, isLoadedOnly: true)
    }
}

extension UnsafeRawBufferPointer {
    /// The name of a symbol; nil if it isn't in the string table, or isn't terminated there.
    fileprivate func symbolName(at offset: Int, limit: Int, isStub: Bool) -> String? {
        // Names that differ only after this many bytes are not distinguished.
        let most = 1 << 20
        guard offset >= 0, offset < count else { return nil }
        let rest = self[offset..<Swift.min(count, offset + most)]
        let end = rest.firstIndex(of: 0)
        guard end != nil || rest.count == most else { return nil }
        var name = rest[..<(end ?? rest.endIndex)]
        // People know `memcpy@@GLIBC_2.14` as memcpy. Other versions keep their suffix.
        if let at = name.firstIndex(of: UInt8(ascii: "@")), at > name.startIndex, at + 1 < name.endIndex,
            name[at + 1] == UInt8(ascii: "@")
        {
            name = name[..<at]
        }
        let text = name.count <= limit ? String(decoding: name, as: UTF8.self) : FunctionSymbols.shortened(name)
        return text + (isStub ? "@plt" : "")
    }
}

extension FunctionSymbols {
    /// The name in a terminated string, cut if it is too long to be demangled.
    package static func mangledName(_ text: UnsafePointer<CChar>) -> String {
        let bytes = UnsafeRawBufferPointer(start: text, count: strnlen(text, 1 << 20))
        return bytes.count > mangledNameLimit ? shortened(bytes[...]) : String(decoding: bytes, as: UTF8.self)
    }

    /// Shortens a name to ``nameLimit``. A hash (FNV-1a, 32 bits) keeps different names different.
    package static func shortened(_ name: Slice<UnsafeRawBufferPointer>) -> String {
        guard name.count > nameLimit else { return String(decoding: name, as: UTF8.self) }
        var hash: UInt32 = 0x811c_9dc5
        for byte in name { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let mark = "...#" + Hex.text(hash, digits: 8)
        var end = name.startIndex + nameLimit - mark.utf8.count
        // Don't cut inside a character.
        while end > name.startIndex, name[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: name[..<end], as: UTF8.self) + mark
    }
}
