import Files
import Profile

/// A format that profiles are written in.
public protocol ProfileFormat: Sendable {
    /// Whether the recording must tell the stacks of each process apart: ``/Profile/Recorder/init(_:tellsProcessesApart:)``.
    var tellsProcessesApart: Bool { get }

    /// Writes a profile. Names can hold any character: a text format makes them printable (`PrintableText`).
    ///
    /// - Parameters:
    ///   - recording: what was recorded.
    ///   - names: for the addresses of the recording's stacks.
    ///   - output: gets the profile in pieces, so that no more than one needs to be in memory.
    /// - Throws: why the profile can't be put into this format; the output may have its beginning then.
    func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws
}
