import ELF
import KernelUnwinder
import Symbols

/// Names addresses by the functions of ELF images, each of which is read once, and of the kernel. docs/names.md
/// describes how frames are named.
public final class Symbolizer {
    /// A location in the code of an image, the same for all processes.
    private struct Place: Hashable {
        var image: ObjectIdentifier
        /// SVMA.
        var pc: UInt64
        var isExact: Bool

        /// An address inside the function: of the call, if `pc` is a return address.
        var lookupAddress: UInt64 { isExact ? pc : pc &- 1 }

        init(_ frame: Sample.Frame, in image: MappedImage, bias: UInt64) {
            (self.image, pc, isExact) = (ObjectIdentifier(image), frame.pc &- bias, frame.isExact)
        }
    }

    /// Memory of a process without an image.
    private struct Memory: Hashable {
        var space: AddressSpace
        /// AVMA.
        var start: UInt64
    }

    private let processes: ProcessHistories
    private let debugFiles: DebugFileSearch?
    private lazy var kernel = makeKernel()
    private let makeKernel: () -> KernelSymbols
    /// `names` is nil for an image that can't be read. Also keeps the images alive whose identity `Place` uses.
    private var images: [ObjectIdentifier: (image: MappedImage, names: ImageNames?)] = [:]
    /// The number of images whose symbols are in memory.
    var readImageCount: Int { images.count }
    /// Problems of images whose symbols are not kept.
    private var earlierProblems: [ELFError] = []
    private var keptImages: [MappedImage] = []
    private var known: [Place: NameTable.ID] = [:]
    private var knownMemory: [Memory: NameTable.ID] = [:]
    private var knownKernel: [UInt64: NameTable.ID] = [:]
    /// By the identity of an image, which `keptImages` or `images` keep alive; nil for those without one.
    private var buildIDs: [ObjectIdentifier: [UInt8]?] = [:]
    /// All names that were assigned so far.
    public private(set) var names = NameTable()
    /// nil if symbols are names as they are.
    private var demangler: Demangler?
    /// The names of symbols that were demangled.
    private var demangled: [String: NameTable.ID] = [:]
    /// The symbols of places whose names were demangled.
    private var symbols: [Place: String] = [:]

    /// Whether inlined functions and source lines are looked up.
    public let inlines: Bool
    /// What DWARF says of places, if it says anything.
    private var functions: [Place: [SourceFunction]] = [:]
    private var sourceProblems: [String] = []
    /// The names that processes gave to code that they generated, read at the first frame there.
    private lazy var generated = readGeneratedNames()

    /// Problems with reading images' symbols and demangling them, and with names of generated code, each once.
    public var problems: [String] {
        (images.values.flatMap { $0.names?.problems ?? [] } + earlierProblems).map { "\($0)" }.sorted()
            + (demangler?.problems ?? []) + sourceProblems + processes.generatedCode.problems + generated.problems
    }

    /// - Parameters:
    ///   - processes: the code that the stacks' addresses belong to.
    ///   - kernel: the kernel's symbols, read when the first kernel address is named.
    ///   - demangles: whether names are as people wrote them, rather than as compilers encode them in symbols.
    ///   - debugFiles: finds the symbols that files were stripped of; nil for nowhere, also not in `.gnu_debugdata`.
    ///   - inlines: whether ``functions(of:in:)`` returns inlined functions and source lines.
    public init(
        _ processes: ProcessHistories, kernel: @autoclosure @escaping () -> KernelSymbols = KernelSymbols(),
        demangles: Bool = true, debugFiles: DebugFileSearch? = DebugFileSearch(), inlines: Bool = false
    ) {
        self.inlines = inlines
        self.processes = processes
        self.debugFiles = debugFiles
        makeKernel = kernel
        demangler = demangles ? Demangler() : nil
    }

    /// Looks up the names of all user frames, image by image, so that the symbols of only one image are in memory at a
    /// time: those of a large program take 100 MB. Without this, each image's are read at its first frame, and kept.
    public func nameAll(_ stacks: Stacks) {
        var unnamed: [ObjectIdentifier: (image: MappedImage, places: Set<Place>)] = [:]
        demangle(symbolsOfUnmappedFiles(stacks))
        for stack in stacks.all {
            guard let code = processes.images(of: stack.space) else { continue }
            for frame in stack.userFrames {
                guard let mapping = code.mapping(at: frame.lookupAddress), let image = mapping.image else { continue }
                let place = Place(frame, in: image, bias: mapping.bias)
                if known[place] == nil { unnamed[place.image, default: (image, [])].places.insert(place) }
            }
        }
        for (id, (image, places)) in unnamed where images[id] == nil {
            // What it reads goes with it.
            let names = (try? image.image?.another()).map(readNames)
            let found = places.map { ($0, Self.symbol(at: $0.pc, isExact: $0.isExact, in: image, names)) }
            demangle(Set(found.map(\.1)))
            for (place, symbol) in found { assign(symbol, to: place) }
            if let image = try? image.image?.another() { readFunctions(places, in: image) }
            earlierProblems += names?.problems ?? []
            keptImages.append(image)
        }
    }

    /// `function`; `[file]+0x1234` if no symbol covers the address but an FDE starts at that SVMA; `[file]` if there is
    /// no FDE either; `[unknown]` if nothing is mapped.
    public func name(of frame: Sample.Frame, in space: AddressSpace) -> String {
        let id = id(of: frame, in: space)
        return names[id]
    }

    /// As ``name(of:in:)``, but returns the number in ``names``.
    public func id(of frame: Sample.Frame, in space: AddressSpace) -> NameTable.ID {
        if space.isResolved, let function = processes.code.function(at: frame.lookupAddress) {
            return name(of: function)
        }
        if space.isResolved, let place = processes.code.generatedPlace(at: frame.lookupAddress) {
            return names.intern(generated.names[place] ?? place.memory)
        }
        guard let mapping = processes.images(of: space)?.mapping(at: frame.lookupAddress) else {
            return names.intern("[unknown]")
        }
        guard let image = mapping.image else {
            let memory = Memory(space: space, start: mapping.start)
            if let known = knownMemory[memory] { return known }
            let found = names.intern(mapping.memoryName)
            knownMemory[memory] = found
            return found
        }
        let place = Place(frame, in: image, bias: mapping.bias)
        if let known = known[place] { return known }
        return assign(Self.symbol(at: place.pc, isExact: place.isExact, in: image, imageNames(image)), to: place)
    }

    /// The symbol that a frame's name was demangled from; nil if the name wasn't demangled.
    public func mangledName(of frame: Sample.Frame, in space: AddressSpace) -> String? {
        _ = id(of: frame, in: space)
        if space.isResolved, let function = processes.code.function(at: frame.lookupAddress) {
            return demangled[function] == nil ? nil : function
        }
        guard let mapping = processes.images(of: space)?.mapping(at: frame.lookupAddress), let image = mapping.image
        else { return nil }
        return symbols[Place(frame, in: image, bias: mapping.bias)]
    }

    // MARK: Inlined functions

    /// The functions of a frame, innermost first. The last one is the frame's own, named as by ``name(of:in:)``; there are
    /// others, and lines, if DWARF was to be read and tells them.
    public func functions(of frame: Sample.Frame, in space: AddressSpace) -> [SourceFunction] {
        if let found = functionsInSource(of: frame, in: space), !found.isEmpty { return found }
        return [
            SourceFunction(name: id(of: frame, in: space), symbol: mangledName(of: frame, in: space), isInlined: false)
        ]
    }

    /// The functions that are inlined at a frame's address, innermost first.
    public func inlinedFunctions(of frame: Sample.Frame, in space: AddressSpace) -> ArraySlice<SourceFunction> {
        functionsInSource(of: frame, in: space)?.dropLast() ?? []
    }

    /// What DWARF says of a frame; nil if it was not to be read.
    private func functionsInSource(of frame: Sample.Frame, in space: AddressSpace) -> [SourceFunction]? {
        guard inlines, let mapping = processes.images(of: space)?.mapping(at: frame.lookupAddress),
            let image = mapping.image
        else { return nil }
        let place = Place(frame, in: image, bias: mapping.bias)
        if functions[place] == nil, let file = image.image {
            _ = id(of: frame, in: space)
            readFunctions([place], in: file)
        }
        return functions[place]
    }

    /// Reads what DWARF says of places in an image, which have names already.
    private func readFunctions(_ places: Set<Place>, in image: ELFImage) {
        if !inlines { return }
        let found = SourceFrames(of: image, at: Set(places.map(\.lookupAddress)), debugFiles: debugFiles)
        demangle(Set(found.frames.values.joined().compactMap { $0.isInlined ? $0.symbol : nil }))
        for place in places {
            functions[place] = (found.frames[place.lookupAddress] ?? []).map { frame in
                // Symbols name the frame's own function, as they do without DWARF.
                let symbol = frame.isInlined ? frame.symbol.flatMap { demangled[$0] == nil ? nil : $0 } : symbols[place]
                let name = frame.isInlined ? name(of: frame.symbol ?? "[inlined]") : known[place]
                return SourceFunction(
                    name: name ?? names.intern("[unknown]"), symbol: symbol, file: frame.file, line: frame.line,
                    isInlined: frame.isInlined)
            }
        }
        if let problem = found.problem { sourceProblems.append(problem) }
    }

    private func readGeneratedNames() -> (names: [GeneratedCode.Place: String], problems: [String]) {
        var found = processes.generatedCode.names(of: processes.code.generatedPlaces)
        if processes.code.hasTooManyPlaces {
            found.problems.append("too many addresses in generated code were sampled: some have no names")
        }
        return found
    }

    /// Where a frame's code is: a file and an address in it that are the same in each run, if it is in a file.
    public struct Location: Hashable, Sendable {
        /// A path; else a name in brackets.
        public var module: String
        /// The file's; nil if it has none, or if its bytes can't be read.
        public var buildID: [UInt8]?
        /// SVMA in the file; nil if there is no file.
        public var address: UInt64?
        /// What is mapped there of the file; nil if there is no file, or if its SVMAs exceed 2^64, as those of a hostile file may.
        public var piece: Piece?
    }

    /// A part of a file that is mapped as a whole.
    public struct Piece: Hashable, Sendable {
        /// SVMA of the first byte.
        public var start: UInt64
        /// In bytes, at least 1. The end is at most 2^64 - 1.
        public var size: UInt64
        /// Of the first byte in the file, in bytes.
        public var offset: UInt64

        fileprivate init?(_ mapping: ProcessImages.Mapping) {
            (start, size, offset) = (mapping.start &- mapping.bias, mapping.end &- mapping.start, mapping.offset)
            guard size > 0, size <= .max - start else { return nil }
        }
    }

    /// Where a frame's code is; nil if nothing is mapped there, or if the file was closed during the recording.
    public func location(of frame: Sample.Frame, in space: AddressSpace) -> Location? {
        if space.isResolved, let place = processes.code.generatedPlace(at: frame.lookupAddress) {
            return Location(module: place.memory, buildID: nil, address: nil)
        }
        guard let mapping = processes.images(of: space)?.mapping(at: frame.lookupAddress) else { return nil }
        guard let image = mapping.image else {
            let name = mapping.name.isEmpty ? "[anonymous]" : mapping.name
            return Location(module: name, buildID: nil, address: nil)
        }
        let id = ObjectIdentifier(image)
        let buildID = buildIDs[id] ?? ((try? image.image?.buildID()) ?? nil)
        buildIDs[id] = .some(buildID)
        return Location(
            module: image.name, buildID: buildID, address: frame.pc &- mapping.bias,
            piece: Piece(mapping))
    }

    // MARK: Demangling

    /// The symbols of files that were closed before.
    private func symbolsOfUnmappedFiles(_ stacks: Stacks) -> Set<String> {
        var symbols: Set<String> = []
        for stack in stacks.all where stack.space.isResolved {
            for frame in stack.userFrames {
                if let function = processes.code.function(at: frame.lookupAddress) { symbols.insert(function) }
            }
        }
        return symbols
    }

    /// Demangles symbols, all at once because that takes a child process.
    private func demangle(_ symbols: Set<String>) {
        for (symbol, name) in demangler?.names(of: symbols) ?? [:] { demangled[symbol] = names.intern(name) }
    }

    /// The name of a symbol, or of code without one.
    private func name(of symbol: String) -> NameTable.ID {
        if demangler != nil, Demangler.isMangled(symbol) {
            if demangled[symbol] == nil { demangle([symbol]) }
            if let known = demangled[symbol] { return known }
        }
        return names.intern(Demangler.shortened(symbol))
    }

    @discardableResult
    private func assign(_ symbol: String, to place: Place) -> NameTable.ID {
        let name = name(of: symbol)
        known[place] = name
        if demangled[symbol] != nil { symbols[place] = symbol }
        return name
    }

    /// The function's symbol at an SVMA in an image; `names` is nil if its symbols can't be read.
    static func symbol(at pc: UInt64, isExact: Bool, in image: MappedImage, _ names: ImageNames?) -> String {
        switch names?.name(at: pc, isExact: isExact) {
        case .function(let name): name
        case .frame(let start): "[\(file(image.name))]+0x\(String(start, radix: 16))"
        case nil: "[\(file(image.name))]"
        }
    }

    /// The kernel's function, without a mark; `[kernel]` if its symbols can't be read or don't cover the address.
    public func kernelFunction(at address: UInt64) -> String {
        let id = kernelID(of: address)
        return names[id]
    }

    /// As ``kernelFunction(at:)``, but returns the number in ``names``.
    public func kernelID(of address: UInt64) -> NameTable.ID {
        if let known = knownKernel[address] { return known }
        let found = name(of: kernel.function(at: address) ?? "[kernel]")
        knownKernel[address] = found
        return found
    }

    /// `function_[k]`, the mark of kernel code in flame graphs; or `[kernel]`.
    public func kernelName(of address: UInt64) -> String { Self.marked(kernelFunction(at: address)) }

    /// A kernel function's name in the form of ``kernelName(of:)``.
    package static func marked(_ kernelFunction: String) -> String {
        kernelFunction == "[kernel]" ? kernelFunction : kernelFunction + "_[k]"
    }

    /// The last component of a path, without the brackets of the kernel's own names.
    fileprivate static func file(_ path: String) -> Substring {
        let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
        return name.hasPrefix("[") && name.hasSuffix("]") ? name.dropFirst().dropLast() : name
    }

    private func imageNames(_ image: MappedImage) -> ImageNames? {
        let id = ObjectIdentifier(image)
        if let known = images[id] { return known.names }
        let names = image.image.map(readNames)
        images[id] = (image, names)
        return names
    }

    private func readNames(_ image: ELFImage) -> ImageNames { .forDemangling(image, debugFiles: debugFiles) }
}

extension ProcessImages.Mapping {
    /// The name of memory without an image, as frames there are called.
    var memoryName: String { name.isEmpty ? "[anonymous]" : "[\(Symbolizer.file(name))]" }
}

/// A function of a frame. Several share a frame if the others are inlined.
public struct SourceFunction: Hashable, Sendable {
    /// docs/names.md; in ``Symbolizer/names``.
    public var name: NameTable.ID
    /// The symbol that the name was demangled from; nil if it wasn't.
    public var symbol: String?
    /// The path of the source file, as the compiler wrote it; nil if it isn't known.
    public var file: String?
    /// The line of the instruction or of the call, from 1; nil if it isn't known.
    public var line: UInt32?
    /// Whether it is inlined into the next one, and has no frame of its own at run time.
    public var isInlined: Bool
}
