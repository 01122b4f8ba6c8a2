import Files
import Profile

/// A format for profiles.
public protocol ProfileFormat: Sendable {
    /// Whether stacks must be kept apart by process:
    /// ``/Profile/Recorder/init(_:tellsProcessesApart:tellsInstructionsApart:keepsTimes:debugFiles:)``.
    var tellsProcessesApart: Bool { get }
    /// Whether the format shows instructions or files, rather than functions alone. By default it does.
    var tellsInstructionsApart: Bool { get }
    /// Whether it has times of single samples: ``/Profile/Recording/timeline``. By default it hasn't.
    var needsTimes: Bool { get }

    /// Writes a profile. Names can contain any character: a text format makes them printable (`PrintableText`).
    ///
    /// - Parameters:
    ///   - recording: the recorded stacks.
    ///   - names: names the addresses in the recording's stacks.
    ///   - output: receives the profile in pieces, so that only one piece is in memory.
    /// - Throws: why the profile can't be written in this format; `output` may already have received the beginning.
    func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws
}

extension ProfileFormat {
    /// True.
    public var tellsInstructionsApart: Bool { true }
    /// False.
    public var needsTimes: Bool { false }
}

/// A format that needs only what a profile with names has, wherever that comes from.
public protocol NamedProfileFormat: ProfileFormat {
    /// As ``ProfileFormat/write(_:names:to:)``.
    func write(_ profile: NamedProfile, to output: inout some ByteSink) throws
}

extension NamedProfileFormat {
    /// Names the recording, and writes it.
    public func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws {
        try write(NamedProfile(recording, names: names), to: &output)
    }
}
