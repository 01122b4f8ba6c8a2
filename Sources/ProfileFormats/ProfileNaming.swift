import ELF
import Files
import Symbols

/// Finds names of a profile's code again, in the files that it was in: for inlined functions and lines, which it may not have,
/// or because there were no debug files where it was recorded.
///
/// Code keeps its names where the file isn't there any more, has another build id, or is no file.
public struct ProfileNaming {
    private let debugFiles: DebugFileSearch?
    private let inlines: Bool
    private var demangler: Demangler?
    private var sourceProblems: [String] = []
    /// The number of files in which names were found.
    public private(set) var fileCount = 0

    /// Problems with reading files, in words.
    public var problems: [String] { sourceProblems + (demangler?.problems ?? []) }

    /// - Parameters:
    ///   - debugFiles: finds the symbols that files were stripped of; nil for nowhere.
    ///   - demangles: whether names are as people wrote them.
    ///   - inlines: whether inlined functions and lines are looked up.
    public init(debugFiles: DebugFileSearch? = DebugFileSearch(), demangles: Bool = true, inlines: Bool = false) {
        (self.debugFiles, self.inlines) = (debugFiles, inlines)
        demangler = demangles ? Demangler() : nil
    }

    /// The profile with the names that are found.
    public mutating func named(_ profile: NamedProfile) -> NamedProfile {
        var found = [[Name]?](repeating: nil, count: profile.frames.count)
        var frames: [UInt32: [Int]] = [:]
        for (number, frame) in profile.frames.enumerated() where !frame.marks.contains(.inlined) {
            if let module = frame.module, frame.address != 0 { frames[module, default: []].append(number) }
        }
        for (module, numbers) in frames.sorted(by: { $0.key < $1.key }) {
            guard let image = image(of: profile.modules[Int(module)], in: profile) else { continue }
            fileCount += 1
            name(numbers.map { ($0, profile.frames[$0]) }, in: image, &found)
        }
        return renamed(profile, found)
    }

    /// A function of a frame.
    private struct Name {
        var function: String
        var symbol: String
        var file = ""
        var line: UInt32 = 0
    }

    /// Nil if it isn't what was recorded.
    private func image(of module: NamedProfile.Module, in profile: NamedProfile) -> ELFImage? {
        let path = profile.names[module.path], buildID = profile.names[module.buildID]
        guard path.hasPrefix("/"), !buildID.isEmpty, let image = try? ELFImage(path: path),
            let own = try? image.buildID(), Hex.text(own) == buildID
        else { return nil }
        return image
    }

    /// The functions of frames, each frame's own one first, and then those that are inlined, innermost last.
    private mutating func name(
        _ frames: [(number: Int, frame: NamedProfile.Frame)], in image: ELFImage, _ found: inout [[Name]?]
    ) {
        let names = ImageNames.forDemangling(image, debugFiles: debugFiles)
        let symbols = frames.map { names.name(at: $0.frame.address, isExact: $0.frame.marks.contains(.exact)) }
        var lines: [UInt64: [SourceFrames.Frame]] = [:]
        if inlines {
            let source = SourceFrames(
                of: image, at: Set(frames.map { Self.lookupAddress($0.frame) }), debugFiles: debugFiles)
            if let problem = source.problem { sourceProblems.append(problem) }
            lines = source.frames
        }
        var mangled = Set(lines.values.joined().compactMap(\.symbol))
        for case .function(let symbol)? in symbols { mangled.insert(symbol) }
        let demangled = demangler?.names(of: mangled) ?? [:]
        sourceProblems += names.problems.map { "\($0)" }
        let file = image.name.split(separator: "/").last ?? ""
        for ((number, frame), symbol) in zip(frames, symbols) {
            let source = lines[Self.lookupAddress(frame)] ?? []
            let symbol =
                switch symbol {
                case .function(let name): name
                case .frame(let start): "[\(file)]+0x\(String(start, radix: 16))"
                case nil: "[\(file)]"
                }
            var functions: [(symbol: String, source: SourceFrames.Frame?)] = [(symbol, source.last)]
            for inlined in source.dropLast().reversed() { functions.append((inlined.symbol ?? "[inlined]", inlined)) }
            found[number] = functions.map { symbol, source in
                Name(
                    function: demangled[symbol] ?? Demangler.shortened(symbol),
                    symbol: demangled[symbol] == nil ? "" : symbol, file: source?.file ?? "", line: source?.line ?? 0)
            }
        }
    }

    /// An address in the function.
    private static func lookupAddress(_ frame: NamedProfile.Frame) -> UInt64 {
        frame.marks.contains(.exact) ? frame.address : frame.address &- 1
    }

    /// - Parameter names: by frame; nil for those that stay as they are.
    private func renamed(_ profile: NamedProfile, _ names: [[Name]?]) -> NamedProfile {
        var renamed = NamedProfile(unit: profile.unit, event: profile.event, seconds: profile.seconds)
        (renamed.period, renamed.frequency) = (profile.period, profile.frequency)
        (renamed.includesWaits, renamed.lostSamples) = (profile.includesWaits, profile.lostSamples)
        func same(_ name: NameTable.ID) -> NameTable.ID { renamed.name(profile.names[name]) }
        let modules = profile.modules.map { module in
            renamed.number(of: .init(path: same(module.path), buildID: same(module.buildID)))
        }
        let frames = profile.frames.enumerated().map { number, frame -> [UInt32] in
            var copy = frame
            copy.module = frame.module.map { modules[Int($0)] }
            guard let names = names[number] else {
                (copy.function, copy.symbol, copy.file) = (same(frame.function), same(frame.symbol), same(frame.file))
                return [renamed.number(of: copy)]
            }
            return names.enumerated().map { index, name -> UInt32 in
                copy.function = renamed.name(name.function)
                copy.symbol = name.symbol.isEmpty ? copy.function : renamed.name(name.symbol)
                (copy.file, copy.line) = (renamed.name(name.file), name.line)
                if !inlines { (copy.file, copy.line) = (same(frame.file), frame.line) }
                if index > 0 { copy.marks.insert(.inlined) }
                return renamed.number(of: copy)
            }
        }
        var nodes: [UInt32] = [0]
        /// Whether what is inlined in a node's frame was found again.
        var isReplaced = [false]
        for node in profile.nodes.dropFirst() {
            let parent = Int(node.parent), frame = Int(node.frame)
            let isInlined = profile.frames[frame].marks.contains(.inlined)
            isReplaced.append(isInlined ? isReplaced[parent] : inlines && names[frame] != nil)
            if isInlined, isReplaced[parent] {
                nodes.append(nodes[parent])
            } else {
                nodes.append(frames[frame].reduce(nodes[parent]) { renamed.node(of: $1, calledFrom: $0) })
            }
        }
        let pieces = profile.pieces.map { piece in
            var copy = piece
            copy.module = modules[Int(piece.module)]
            return renamed.number(of: copy)
        }
        let spaces = profile.spaces.map { mappings in
            renamed.space(of: mappings.map { .init(page: $0.page, piece: pieces[Int($0.piece)]) })
        }
        let stacks = profile.stacks.map { stack, weight in
            var copy = stack
            copy.space = spaces[Int(stack.space)]
            (copy.node, copy.thread) = (nodes[Int(stack.node)], same(stack.thread))
            (copy.cgroup, copy.end) = (same(stack.cgroup), same(stack.end))
            return renamed.add(copy, weight)
        }
        renamed.timeline = profile.timeline
        renamed.timeline?.renumber { stacks[$0] }
        return renamed
    }
}
