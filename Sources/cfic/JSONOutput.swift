import FoundationEssentials

/// Output for programs.
enum JSONOutput {
    /// A value as indented JSON with sorted keys, in lines.
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    /// Writes it to standard output.
    static func print(_ value: some Encodable) throws {
        var output = StandardOutput()
        output.write(try text(value))
        output.flush()
    }
}
