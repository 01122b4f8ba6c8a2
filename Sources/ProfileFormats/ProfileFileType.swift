/// The formats of files with profiles.
public enum ProfileFileType: String, Sendable, CaseIterable {
    /// Lines for flame graph tools.
    case folded
    /// A document that docs/json.md describes.
    case json
    /// A flame graph as a page: docs/flame-graph.md.
    case html
    /// A flame graph as a picture.
    case svg
    /// The format of pprof, a protocol buffer compressed by gzip.
    case pprof
    /// The Firefox Profiler's format, JSON compressed by gzip.
    case firefox
    /// Text as `perf script` prints it.
    case perfScript = "perf-script"
    /// What was recorded, with names and times, for `cfic report`: docs/profile-format.md.
    case cfic

    /// What names of files with the format end in; the first is the usual one.
    public var extensions: [String] {
        switch self {
        case .folded: [".folded", ".collapsed", ".txt"]
        case .json: [".json"]
        case .html: [".html"]
        case .svg: [".svg"]
        case .pprof: [".pb.gz", ".pprof"]
        case .firefox: [".json.gz"]
        case .perfScript: [".perf"]
        case .cfic: [".cfic"]
        }
    }

    /// Whether a terminal can show it.
    public var isText: Bool { self != .pprof && self != .firefox && self != .cfic }

    /// By the end of a file's name; nil if it is none of ``extensions``.
    public init?(path: String) {
        guard let type = Self.allCases.first(where: { $0.extensions.contains { path.hasSuffix($0) } }) else {
            return nil
        }
        self = type
    }

    /// What writes the format.
    public var format: any ProfileFormat {
        switch self {
        case .folded: FoldedFormat()
        case .json: JSONFormat()
        case .html: HTMLFormat()
        case .svg: SVGFormat()
        case .pprof: PprofFormat()
        case .firefox: FirefoxFormat()
        case .perfScript: PerfScriptFormat()
        case .cfic: CFICFormat()
        }
    }
}
