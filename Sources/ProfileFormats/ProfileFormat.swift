import Files
import Profile

/// A format for profiles.
public protocol ProfileFormat: Sendable {
    /// Whether stacks must be kept apart by process: ``/Profile/Recorder/init(_:tellsProcessesApart:)``.
    var tellsProcessesApart: Bool { get }

    /// Writes a profile. Names can contain any character: a text format makes them printable (`PrintableText`).
    ///
    /// - Parameters:
    ///   - recording: the recorded stacks.
    ///   - names: names the addresses in the recording's stacks.
    ///   - output: receives the profile in pieces, so that only one piece is in memory.
    /// - Throws: why the profile can't be written in this format; `output` may already have received the beginning.
    func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws
}
