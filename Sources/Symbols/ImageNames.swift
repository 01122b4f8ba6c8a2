import ELF

/// Names for the code of an image: its symbols, as far as its call frame information agrees, and the FDEs themselves.
///
/// Not thread-safe: one task at a time.
public final class ImageNames {
    /// What a stretch of code is called.
    public enum Name: Equatable, Sendable {
        /// By a symbol, or by what its code does.
        case function(String)
        /// Not at all: the SVMA at which its FDE begins.
        case frame(UInt64)
    }

    private let image: ELFImage
    private let symbols: FunctionSymbols?
    /// Symbol tables and call frame information that can't be read, or not to their end.
    public private(set) var problems: [ELFError] = []
    private lazy var frames: FrameExtents? = readFrames()

    /// Reads the image's symbols. Its call frame information is read when it is first needed.
    public init(_ image: ELFImage) {
        self.image = image
        do throws(ELFError) {
            symbols = try image.functionSymbols()
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

    /// What the code is called that a frame is in; nil if there is neither a symbol nor an FDE.
    ///
    /// - Parameters:
    ///   - pc: SVMA at which the frame stands, or to which a call returns.
    ///   - isExact: whether it stands there.
    public func name(at pc: UInt64, isExact: Bool) -> Name? {
        // Signal handlers return to the restorer's first byte. What is before that is another function.
        if let start = SignalRestorer.start(at: pc, isExact: isExact, in: image) {
            let match = symbols?.match(start)
            return .function(match?.start == start ? match?.name ?? SignalRestorer.name : SignalRestorer.name)
        }
        let address = isExact ? pc : pc &- 1
        if let function = lookup(address) { return .function(function.name) }
        return frames?.start(of: address).map(Name.frame)
    }

    /// The function that contains an SVMA, and how many bytes after its start that is; nil if no symbol tells.
    public func lookup(_ address: UInt64) -> (name: String, offset: UInt64)? {
        guard let match = symbols?.match(address) else { return nil }
        func found(_ match: FunctionSymbols.Match) -> (name: String, offset: UInt64) {
            (match.name, address &- match.start)
        }
        if match.hasSize { return found(match) }
        guard let frames, !frames.isEmpty else { return found(match) }
        // A symbol that doesn't say where it ends does so with its FDE, or where the next one begins.
        guard frames.place(of: address) == frames.place(of: match.start) else { return nil }
        guard match.isLabel, let start = frames.start(of: match.start), start != match.start else {
            return found(match)
        }
        // A label within a function, which has the function's name, if there is one.
        guard let function = symbols?.match(start), function.start == start else { return nil }
        return found(function)
    }
}
