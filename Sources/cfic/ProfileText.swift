import Files
import Profile
import ProfileFormats

/// A recording in a format, formatted while it is written.
struct ProfileText {
    let recording: Recording
    let names: Symbolizer
    let format: any ProfileFormat

    func write(to output: inout some ByteSink) throws { try format.write(recording, names: names, to: &output) }
}
