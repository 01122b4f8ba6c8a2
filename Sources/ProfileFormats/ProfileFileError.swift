import Files

/// Why a file can't be read as a profile.
public struct ProfileFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's path.
    public var path: String
    /// Where in the file, in bytes from its beginning; nil if that isn't known, or doesn't matter.
    public var offset: Int?
    /// What is wrong, in words.
    public var problem: String

    /// An error of these parts.
    public init(path: String, offset: Int? = nil, problem: String) {
        (self.path, self.offset, self.problem) = (path, offset, problem)
    }

    /// For people.
    public var description: String { "\(path): \(offset.map { "byte \($0): " } ?? "")\(problem)" }
}

/// What is wrong at a place in a file whose path isn't known here.
struct ProfileProblem: Error, Equatable {
    /// In bytes from the file's beginning.
    var offset: Int?
    var text: String

    init(_ text: String, at offset: Int? = nil) { (self.text, self.offset) = (text, offset) }
}

/// What profiles from files must not exceed, so that nothing that is done with them takes forever. Recordings don't come near.
struct ProfileLimits {
    /// Frames of a stack.
    static let depth = 1 << 14
    /// Frames of all stacks.
    static let frames = 1 << 30
    /// Samples of all stacks.
    static let samples = 1 << 62

    private var frames = 0, samples = 0

    /// Adds a stack.
    ///
    /// - Returns: what is wrong; nil if nothing is.
    mutating func add(depth: Int, samples: Int, weight: Double) -> String? {
        if depth > Self.depth { return "a stack of \(depth) frames; the limit is \(Self.depth)" }
        frames += depth
        if frames > Self.frames { return "the stacks have more than \(Self.frames) frames" }
        if samples < 0 || samples > Self.samples - self.samples { return "too many samples" }
        self.samples += samples
        return weight >= 0 && weight.isFinite ? nil : "a stack weighs \(weight)"
    }
}
