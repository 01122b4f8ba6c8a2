import ELF

/// Names for the code of an image: its symbols, if they don't contradict its call frame information, and the FDEs
/// themselves.
///
/// Not thread-safe.
public final class ImageNames {
    /// The name of a function.
    public enum Name: Equatable, Sendable {
        /// From a symbol, or recognised by its code.
        case function(String)
        /// The function has no name. The value is the SVMA of its FDE's start.
        case frame(UInt64)
    }

    private let image: ELFImage
    private let symbols: FunctionSymbols?
    /// Bytes of the longest symbol that isn't cut.
    private let limit: Int
    /// Errors in symbol tables and call frame information, which were not read or only in part.
    public private(set) var problems: [ELFError]
    private lazy var frames: FrameExtents? = readFrames()

    /// Reads the image's symbols. Call frame information is read on first use.
    ///
    /// - Parameters:
    ///   - image: the image.
    ///   - debugFiles: finds the separate debug file of a stripped image; nil for none, also not `.gnu_debugdata`.
    public convenience init(_ image: ELFImage, debugFiles: DebugFileSearch? = nil) {
        self.init(image, debugFiles: debugFiles, limit: FunctionSymbols.nameLimit)
    }

    /// The names of an image, not cut if they can be demangled.
    package static func forDemangling(_ image: ELFImage, debugFiles: DebugFileSearch?) -> ImageNames {
        ImageNames(image, debugFiles: debugFiles, limit: FunctionSymbols.mangledNameLimit)
    }

    private init(_ image: ELFImage, debugFiles: DebugFileSearch?, limit: Int) {
        self.image = image
        self.limit = limit
        let stripped = StrippedSymbols(of: image, debugFiles)
        problems = stripped.problems
        do throws(ELFError) {
            symbols = try image.functionSymbols(debugFile: stripped.image)
            if let problem = symbols?.problem { problems.append(problem) }
        } catch {
            symbols = nil
            problems.append(error)
        }
    }

    private func readFrames() -> FrameExtents? {
        do throws(ELFError) { return try FrameExtents(of: image) } catch {
            problems.append(error)
            return nil
        }
    }

    /// The name of a frame's function; nil if there is neither a symbol nor an FDE.
    ///
    /// - Parameters:
    ///   - pc: SVMA of the frame's pc.
    ///   - isExact: whether `pc` is the current instruction, not a return address.
    public func name(at pc: UInt64, isExact: Bool) -> Name? {
        // Signal handlers return to the restorer's first byte, so the preceding byte belongs to another function.
        if let start = SignalRestorer.start(at: pc, isExact: isExact, in: image) {
            let match = symbols?.match(start, limit: limit)
            return .function(match?.start == start ? match?.name ?? SignalRestorer.name : SignalRestorer.name)
        }
        let address = isExact ? pc : pc &- 1
        if let function = lookup(address) { return .function(function.name) }
        return frames?.start(of: address).map(Name.frame)
    }

    /// The function that contains an SVMA, and the SVMA's offset from its start in bytes; nil if no symbol names it.
    public func lookup(_ address: UInt64) -> (name: String, offset: UInt64)? {
        guard let match = symbols?.match(address, limit: limit) else { return nil }
        func found(_ match: FunctionSymbols.Match) -> (name: String, offset: UInt64) {
            (match.name, address &- match.start)
        }
        if match.hasSize { return found(match) }
        guard let frames, !frames.isEmpty else { return found(match) }
        // A symbol without a size ends with its FDE or, outside FDEs, where the next one starts.
        guard frames.place(of: address) == frames.place(of: match.start) else { return nil }
        guard match.isLabel, let start = frames.start(of: match.start), start != match.start else {
            return found(match)
        }
        // A label within a function: use the function's name, if there is one.
        guard let function = symbols?.match(start, limit: limit), function.start == start else { return nil }
        return found(function)
    }
}
