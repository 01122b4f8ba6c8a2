import FoundationEssentials

/// Output for programs.
enum JSONOutput {
    /// Writes a value as indented JSON with sorted keys to standard output.
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var output = StandardOutput()
        output.line(String(decoding: try encoder.encode(value), as: UTF8.self))
        output.flush()
    }
}
